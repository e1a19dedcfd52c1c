import assert from "node:assert/strict";
import { hold } from "../faults/hold.ts";
import { quickFiles } from "../faults/support.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";

const MANY = 20;

describe("Parallel builds on a busy machine", function () {
  this.timeout(300_000);
  let world: World;

  afterEach(() => world?.stop());

  /** Pushes one more commit, whose CI is green. */
  async function green(repo: SampleRepo, text: string): Promise<string> {
    const sha = await repo.commit({ "greeting.txt": text });
    await repo.push();
    await world.github.green(repo.repo, sha);
    return sha;
  }
  const queued = (repo: SampleRepo, sha: string) =>
    until("it waits for a worker", async () => {
      await world.status(repo, sha, repo.name, "pending");
      return (await world.delivery(repo, sha)).state === "queued";
    });
  /** The commits in the order in which a worker took them. */
  const taken = () =>
    world.deliverd
      .output()
      .split("\n")
      .filter((line) => line.includes('"preparing"'))
      .map((line) => String(JSON.parse(line).sha));

  it(`deliver a repo's only commit before the ${MANY} of another repo, and the newest of those first`, async () => {
    world = await startWorld({ config: { workers: { slots: 1 }, prepare: "onGreen" } });
    const first = hold("first");
    const blocking = await world.repo("first", first.files);
    const busy = await world.repo("busy", quickFiles("busy"));
    const quiet = await world.repo("quiet", quickFiles("quiet"));
    const blocker = await green(blocking, "the only slot");
    await first.held();

    const shas: string[] = [];
    for (let number = 1; number <= MANY; number++) {
      const sha = await green(busy, `Number ${number}\n`);
      await queued(busy, sha);
      shas.push(sha);
    }
    const last = await green(quiet, "one");
    await queued(quiet, last);
    await first.release();

    await world.status(quiet, last, "quiet", "success");
    for (const sha of shas) await world.status(busy, sha, "busy", "success", 200_000);
    const [one, two, ...newestFirst] = shas;
    const [newest, ...others] = newestFirst.reverse();
    assert.deepEqual(taken(), [blocker, newest, last, ...others, one, two]);
  });

  it("build the artifacts of one commit at the same time, and label each line of the log", async () => {
    world = await startWorld({ config: { workers: { slots: 2 }, prepare: "onGreen" } });
    const holds = { api: hold("api"), web: hold("web") };
    const repo = await world.repo("both", {
      ".deliverd.yml": pipeline(Object.keys(holds).map((name) => image(name, { dockerfile: `${name}.Dockerfile` }))),
      "api.Dockerfile": String(holds.api.files.Dockerfile),
      "web.Dockerfile": String(holds.web.files.Dockerfile),
    });
    const sha = await green(repo, "both");
    await until("both builds are under way", async () => {
      const waiting = await Promise.all([holds.api.waiting(), holds.web.waiting()]);
      return waiting.every((pids) => pids.length > 0);
    });
    await Promise.all([holds.api.release(), holds.web.release()]);
    await world.status(repo, sha, "api", "success");
    await world.status(repo, sha, "web", "success");
    const lines = (await world.log(repo, sha)).split("\n");
    for (const name of ["api", "web"]) {
      assert.ok(lines.some((line) => line.startsWith(`${name} | Building with`)));
      assert.ok(lines.some((line) => line.startsWith(`${name} | `) && line.includes("COPY greeting.txt")));
    }
  });
});
