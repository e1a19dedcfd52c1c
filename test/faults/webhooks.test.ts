import assert from "node:assert/strict";
import { generator } from "../../src/observe/failpoints.ts";
import type { HookDelivery } from "../support/hosts/github/github.ts";
import { startWorld, stopAndCheck, type World } from "../support/world/world.ts";
import { figure } from "./figures.ts";
import type { Pushed } from "./oracle.ts";
import { begin, quickFiles, settled } from "./support.ts";

const SEED = 20_240_501;

describe("deliverd, with 30 % of the webhooks lost and the rest sent three times in any order,", function () {
  this.timeout(600_000);
  let world: World;

  before(async () => {
    world = await startWorld({ config: { workers: { slots: 4 } } });
  });

  after(() => stopAndCheck(world));

  it("releases every green commit once, and no red one", async () => {
    const random = generator(SEED);
    const repos = await Promise.all(["north", "south", "west"].map((name) => world.repo(name, quickFiles(name))));
    const pushed: Pushed[] = [];
    world.github.webhooksOff = true;
    for (let number = 0; number < 15; number++) {
      const repo = repos[number % repos.length];
      assert.ok(repo);
      if (number >= repos.length) await repo.commit({ "greeting.txt": `Number ${number}\n` });
      pushed.push(await begin(world, repo, random() < 0.8 ? "green" : "red"));
    }
    const all = [...world.github.hooks];
    world.github.webhooksOff = false;
    const kept = all.filter(() => random() >= 0.3);
    const told = [...kept, ...kept, ...kept]
      .map((hook) => ({ hook, place: random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ hook }) => hook);
    assert.ok(kept.length < all.length);
    await inTurns(told, 4, (hook) => world.github.redeliver(hook));
    await settled(world, pushed, { within: 240_000 });
    const green = pushed.filter(({ ci }) => ci === "green").length;
    figure(
      `${all.length - kept.length} of ${all.length} webhooks dropped, the rest tripled and shuffled`,
      `100 % of ${green} green commits released`,
    );
  });
});

/** So many at a time. */
async function inTurns(hooks: HookDelivery[], width: number, send: (hook: HookDelivery) => Promise<unknown>) {
  const waiting = [...hooks];
  const next = async () => {
    for (let hook = waiting.shift(); hook !== undefined; hook = waiting.shift()) await send(hook);
  };
  await Promise.all(Array.from({ length: width }, next));
}
