import assert from "node:assert/strict";
import { Pool } from "./run/pool.ts";
import { scenarioOf } from "./run/scenario.ts";
import { Tally } from "./run/tally.ts";

/** About 25 s on 2 cores that do nothing else: 10 runs a second. `npm run simulate` runs as many as it is told. */
const SEEDS = 250;

describe("deliverd, simulated in virtual time,", () => {
  let pool: Pool;
  before(async () => {
    pool = await Pool.open();
  });
  after(() => pool.close());

  it("does the same for the same seed, to the last digest", async () => {
    const seed = 8;
    const [first, second] = [await pool.runOne(scenarioOf(seed)), await pool.runOne(scenarioOf(seed))];
    assert.equal(first.hash, second.hash);
    assert.notEqual(first.hash, (await pool.runOne(scenarioOf(seed + 1))).hash);
  });

  it(`keeps its promises for the seeds 1 to ${SEEDS}: nothing lost, nothing twice, nothing owed for ever`, async function () {
    this.timeout(20 * 60_000);
    const tally = new Tally();
    const scenarios = Array.from({ length: SEEDS }, (_, index) => scenarioOf(index + 1));
    await pool.run(scenarios, (report) => {
      tally.add(report);
      return tally.failing === null;
    });
    const { failing } = tally;
    assert.equal(
      failing,
      null,
      `seed ${failing?.scenario.seed}: ${failing?.problems.join("\n")}\n\n${failing?.trace.join("\n")}\n\n` +
        `npm run simulate -- --seed ${failing?.scenario.seed} makes it shorter`,
    );
    assert.ok(tally.deliveries > SEEDS, "most runs deliver more than one commit");
  });
});
