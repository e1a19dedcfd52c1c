import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { commandLines, pidsOf } from "../support/processes/command-lines.ts";
import { until } from "../support/processes/process.ts";
import { BIN } from "../support/world/deliverd.ts";
import { image, pipeline, slowDockerfile, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

describe("A deliverd whose process dies", function () {
  this.timeout(120_000);
  let world: World;

  before(async () => {
    world = await startWorld();
  });

  after(() => stopAndCheck(world));

  it("by SIGKILL during a build releases the commit once after the next start, without help", async () => {
    const repo = await world.repo("killed", slow("killed", 4.25));
    const sha = await begin(repo);
    await until("it builds", () => runs(4.25), 40_000);
    await world.deliverd.kill();
    await world.deliverd.restart();
    await world.status(repo, sha, "killed", "success");
    await onceOnly(repo, sha);
    const attempts = (await why(repo, sha)).filter((text) => /^attempt \d+ ended/.test(text));
    assert.deepEqual(
      attempts.map((text) => text.replace(/^attempt \d+ ended: /, "").split(":")[0]),
      ["lost", "done"],
    );
  });

  it("by SIGKILL finds its old redis-server at the next start, and ends or adopts it", async () => {
    const left = await redisPid();
    await world.deliverd.kill();
    assert.ok((await commandLines()).get(left)?.includes("redis-server"));
    await world.deliverd.restart();
    const now = await redisPid();
    const servers = [...(await commandLines())].filter(
      ([, line]) => line.includes(world.deliverd.dataDir) && line.includes("redis-server"),
    );
    assert.deepEqual(
      servers.map(([pid]) => pid),
      [now],
    );
  });

  it("by the loss of its redis-server only starts another, and delivers", async () => {
    const repo = await world.repo("redis", slow("redis", 3.25));
    const sha = await begin(repo);
    await until("it builds", () => runs(3.25), 40_000);
    const pid = world.deliverd.pid();
    const lost = await redisPid();
    process.kill(lost, "SIGKILL");
    await world.status(repo, sha, "redis", "success");
    await onceOnly(repo, sha);
    assert.equal(world.deliverd.pid(), pid);
    assert.notEqual(await redisPid(), lost);
    await repo.commit({ Dockerfile: slowDockerfile(0) });
    await world.release(repo);
  });

  it("by SIGTERM during a build stops the build, exits with 0, and finishes it after the next start", async () => {
    const repo = await world.repo("stopped", slow("stopped", 9.25));
    const sha = await begin(repo);
    await until("it builds", () => runs(9.25), 40_000);
    const begun = Date.now();
    assert.equal(await world.deliverd.stop(), 0);
    // `grace` is 2 s here; the rest is for a machine that is busy.
    assert.ok(Date.now() - begun < 4_500, `${Date.now() - begun} ms`);
    assert.equal(await runs(9.25), false);
    const left = [...(await commandLines()).values()].filter((line) => line.includes(world.deliverd.dataDir));
    assert.deepEqual(left, []);

    await world.deliverd.restart();
    await world.status(repo, sha, "stopped", "success");
    await onceOnly(repo, sha);
    assert.ok((await why(repo, sha)).some((text) => text.includes("handed-back")));
  });

  it("does not share its data directory: a second process exits with 2 and says why", async () => {
    const second = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
      execFile(process.execPath, [BIN, "start", "--config", world.deliverd.configFile], (error, _out, stderr) =>
        resolve({ code: error?.code, stderr }),
      );
    });
    assert.equal(second.code, 2, second.stderr);
    assert.equal(
      second.stderr.trim(),
      `dataDir: another deliverd receiver uses ${world.deliverd.dataDir}. Stop it, or set dataDir of this one to another directory.`,
    );
    assert.equal((await world.deliverd.fetch("/healthz")).status, 200);
  });

  function slow(name: string, seconds: number) {
    return { Dockerfile: slowDockerfile(seconds), ".deliverd.yml": pipeline([image(name)]) };
  }

  async function begin(repo: SampleRepo): Promise<string> {
    const sha = await repo.head();
    await repo.push();
    await world.github.green(repo.repo, sha);
    return sha;
  }

  async function runs(seconds: number): Promise<boolean> {
    return (await pidsOf("/bin/busybox", "sleep", String(seconds))).length > 0;
  }

  async function redisPid(): Promise<number> {
    return until("redis-server has written its pid", async () => {
      const pid = Number(await readFile(join(world.deliverd.dataDir, "redis", "redis.pid"), "utf8"));
      return pid > 1 && pid;
    });
  }

  async function why(repo: SampleRepo, sha: string): Promise<string[]> {
    const { events } = await world.deliverd.api<{ events: { text: string }[] }>(
      `/api/v1/why?repo=acme/${repo.name}&sha=${sha}`,
    );
    return events.map(({ text }) => text);
  }

  /** One release, one notice (told again at most), every name of it one digest, and success as the last word. */
  async function onceOnly(repo: SampleRepo, sha: string): Promise<void> {
    const releases = await world.releases(repo, sha);
    assert.equal(releases.length, 1);
    await until("the notice came", () => world.notices(repo, sha).length > 0);
    assert.equal(new Set(world.notices(repo, sha).map(({ id }) => id)).size, 1);
    for (const tag of await world.tags(`acme/${repo.name}`)) {
      assert.equal(await world.digest(`acme/${repo.name}`, tag), releases[0]?.digest);
    }
    assert.equal(world.github.lastStatus(repo.repo, sha, `deliverd/${repo.name}`)?.state, "success");
  }
});
