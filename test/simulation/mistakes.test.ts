import assert from "node:assert/strict";
import { MISTAKES } from "./mistakes/list.ts";
import { Pool } from "./run/pool.ts";
import { scenarioOf } from "./run/scenario.ts";
import { shrink } from "./run/shrink.ts";

describe("the simulation notices", () => {
  let pool: Pool;
  before(async () => {
    pool = await Pool.open();
  });
  after(() => pool.close());

  for (const { name, seed } of MISTAKES) {
    it(`that ${name}`, async () => {
      const { problems } = await pool.runOne(scenarioOf(seed), name);
      assert.notDeepEqual(problems, []);
    });
  }

  it("nothing in the same scenarios without a mistake", async () => {
    const scenarios = [...new Set(MISTAKES.map(({ seed }) => seed))].map(scenarioOf);
    await pool.run(scenarios, ({ scenario, problems }) => {
      assert.deepEqual(problems, [], `seed ${scenario.seed}`);
      return true;
    });
  });

  it("a mistake in a shorter scenario too, and tells it in the words of deliverd why", async () => {
    const planted = "names are written before the digest is pinned";
    const failing = await pool.runOne(scenarioOf(1), planted);
    const shrunk = await shrink(failing, (scenario) => pool.runOne(scenario, planted));
    assert.ok(shrunk.scenario.actions.length < failing.scenario.actions.length);
    assert.match(shrunk.trace.join("\n"), /push of c1 to .*deliver: required check test passed.*is not pinned/s);
  });
});
