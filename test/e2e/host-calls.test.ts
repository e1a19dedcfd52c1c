import assert from "node:assert/strict";
import { hostTypes } from "../../src/hosts/index.ts";
import { products } from "../support/hosts/products.ts";
import { type ProductWorld, startProductWorld } from "../support/world/product-world.ts";

describe("One delivery, from its webhook to its release,", function () {
  this.timeout(120_000);
  let world: ProductWorld;

  before(async () => {
    world = await startProductWorld();
  });
  after(async () => {
    assert.deepEqual(await world?.stop(), []);
  });

  for (const { key, title, maxCalls } of products) {
    it(`costs at most ${maxCalls} API calls on ${title}`, async () => {
      const member = world.members.find(({ product }) => product.key === key) ?? assert.fail(key);
      // On a slow machine a repo's name is asked for once more, every five seconds: then another delivery decides.
      const first = await world.deliver(member);
      const calls = first.length <= maxCalls ? first : await world.deliver(member);
      assert.ok(calls.length <= maxCalls, `${calls.length} calls:\n${calls.join("\n")}`);
      if (maxCalls > 0) assert.ok(calls.length > 2, "nothing was counted");
    });
  }

  it("is counted for every type of host", () => {
    const types = new Set(world.members.map(({ running }) => String(running.settings.type)));
    assert.deepEqual([...types].sort(), hostTypes.all.map(({ type }) => type).sort());
  });
});
