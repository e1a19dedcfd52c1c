import assert from "node:assert/strict";
import { figure } from "./figures.ts";
import { isContent } from "./oracle.ts";
import { soak, tell } from "./soak.ts";

const KILLS = 25;
const SEED = 1;

describe("deliverd, killed again and again under load with lost webhooks,", function () {
  this.timeout(600_000);

  it(`releases every green commit once after ${KILLS} kills, as registries, host and notices show`, async () => {
    const said: string[] = [];
    const result = await soak({ kills: KILLS, seed: SEED, say: (line) => said.push(line) });
    const { crashes, violations } = result;
    assert.ok(isContent(result) && crashes.length + violations.length === 0, [...said, tell(result)].join("\n"));
    figure(`${KILLS} kills`, `${result.released} releases of ${result.green} green commits, 0 lost, 0 duplicated`);
  });
});
