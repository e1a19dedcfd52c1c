import assert from "node:assert/strict";
import { MISTAKES } from "./mistakes/list.ts";
import { Pool } from "./run/pool.ts";
import { scenarioOf } from "./run/scenario.ts";
import { shrink } from "./run/shrink.ts";

/** Each mistake is noticed within so many seeds. */
const SEEDS = 2_000;

/** The seed that is known comes first: another change of the code may have given it another course. */
function* scenariosFrom(seed: number) {
  yield scenarioOf(seed);
  for (let next = 1; next < SEEDS; next++) yield scenarioOf(next);
}

describe("the simulation notices", () => {
  let pool: Pool;
  before(async () => {
    pool = await Pool.open();
  });
  after(() => pool.close());

  for (const { name, seed } of MISTAKES) {
    it(`that ${name}`, async function () {
      this.timeout(10 * 60_000);
      const problems: string[] = [];
      await pool.run(
        scenariosFrom(seed),
        (report) => {
          problems.push(...report.problems);
          return problems.length === 0;
        },
        name,
      );
      assert.notDeepEqual(problems, [], `nothing was noticed in ${SEEDS} scenarios`);
    });
  }

  it("a mistake in a shorter scenario too, and tells it in the words of deliverd why", async function () {
    this.timeout(10 * 60_000);
    const planted = "names are written before the digest is pinned";
    const failing = await pool.runOne(scenarioOf(1), planted);
    assert.notDeepEqual(failing.problems, []);
    const shrunk = await shrink(failing, (scenario) => pool.runOne(scenario, planted));
    assert.ok(shrunk.scenario.actions.length < failing.scenario.actions.length);
    assert.match(shrunk.trace.join("\n"), /push of c\d to .*deliver: required check test passed.*is not pinned/s);
  });
});
