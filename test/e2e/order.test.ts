import assert from "node:assert/strict";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, slowDockerfile, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

describe("deliverd, given webhooks in any order,", function () {
  this.timeout(90_000);
  let world: World;

  before(async () => {
    world = await startWorld({ config: { workers: { slots: 4 } } });
  });

  after(() => stopAndCheck(world));

  it("releases a commit once whose CI was green before the push was reported, each event sent twice", async () => {
    const repo = await world.repo("early");
    const sha = await repo.head();
    world.github.webhooksOff = true;
    const push = await repo.push();
    const green = await world.github.green(repo.repo, sha);
    world.github.webhooksOff = false;
    for (const hook of [...green, ...push, ...push, ...green]) {
      const answer = await world.github.redeliver(hook);
      assert.equal(answer.status, 202);
    }
    await world.status(repo, sha, "early", "success");
    await onceOnly(repo, sha);
  });

  it("releases each commit once from shuffled and tripled webhooks, with the branch's name on the newest", async () => {
    const repo = await world.repo("shuffled", { ".deliverd.yml": pipeline([image("shuffled")]) });
    world.github.webhooksOff = true;
    const shas: string[] = [];
    const hooks = [];
    for (let number = 0; number < 4; number++) {
      const sha = await repo.commit({ "greeting.txt": `Number ${number}\n` });
      hooks.push(...(await repo.push()), ...(await world.github.green(repo.repo, sha)));
      shas.push(sha);
    }
    world.github.webhooksOff = false;
    for (const hook of shuffled([...hooks, ...hooks, ...hooks])) await world.github.redeliver(hook);
    for (const sha of shas) {
      await world.status(repo, sha, "shuffled", "success");
      await onceOnly(repo, sha);
    }
    const newest = (await world.releases(repo, shas.at(-1) ?? ""))[0]?.digest;
    await until("main is the newest", async () => (await world.digest("acme/shuffled", "main")) === newest);
  });

  it("does not move the branch's name to an older commit whose delivery ends last", async () => {
    const repo = await world.repo("overtaken", { ".deliverd.yml": pipeline([image("overtaken")]) });
    const older = await repo.commit({ Dockerfile: slowDockerfile(8) });
    await repo.push();
    const newer = await repo.commit({ Dockerfile: slowDockerfile(0) });
    await repo.push();
    await world.github.green(repo.repo, older);
    await world.github.green(repo.repo, newer);
    await world.status(repo, newer, "overtaken", "success");
    assert.notEqual((await world.delivery(repo, older)).state, "delivered");
    const digest = (await world.releases(repo, newer))[0]?.digest;
    await until("main is the newer", async () => (await world.digest("acme/overtaken", "main")) === digest);

    await world.status(repo, older, "overtaken", "success");
    const last = await world.releases(repo, older);
    await until("the older one stands under its own names", async () => {
      return (await world.digest("acme/overtaken", last[0]?.version ?? "")) === last[0]?.digest;
    });
    // Its names job comes after its success: once another commit's name has been moved after it, that job is done.
    await repo.commit({ "greeting.txt": "One more\n" });
    const third = await world.release(repo);
    const thirds = (await world.releases(repo, third))[0]?.digest;
    await until("main is the third", async () => (await world.digest("acme/overtaken", "main")) === thirds);
    const moves = () =>
      world.deliverd
        .output()
        .split("\n")
        .filter((line) => line.includes('"acme/overtaken:main"'))
        .map((line) => JSON.parse(line).digest);
    // The log tells of a move after it was made.
    await until("the third's move is told", () => moves().includes(thirds));
    assert.deepEqual(moves(), [digest, thirds]);
  });

  it("catches up on a lost webhook when the next one comes", async () => {
    const repo = await world.repo("lost", { ".deliverd.yml": pipeline([image("lost")]) });
    const sha = await repo.head();
    world.github.webhooksOff = true;
    await repo.push();
    const sent = await world.github.green(repo.repo, sha);
    world.github.webhooksOff = false;
    const only = sent.at(-1);
    assert.ok(only);
    await world.github.redeliver(only);
    await world.status(repo, sha, "lost", "success");
    await onceOnly(repo, sha);
  });

  /** One delivery, one release, one build, one notice. */
  async function onceOnly(repo: SampleRepo, sha: string): Promise<void> {
    await until("the notice came", () => world.notices(repo, sha).length > 0);
    const releases = await world.releases(repo, sha);
    assert.equal(releases.length, 1);
    assert.equal((await world.log(repo, sha)).match(/: frozen as sha256:/g)?.length, 1);
    assert.equal(world.notices(repo, sha).length, 1);
    assert.equal(await world.digest(`acme/${repo.name}`, releases[0]?.version ?? ""), releases[0]?.digest);
  }
});

/** The same order at every run: a failure can be had again. */
function shuffled<T>(list: T[]): T[] {
  let seed = 20_240_101;
  const keyed = list.map((item) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return { item, key: seed };
  });
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
