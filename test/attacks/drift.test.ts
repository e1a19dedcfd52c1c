import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { silentLog } from "../../src/observe/log.ts";
import { openQueues, type Queues } from "../../src/queue/queues.ts";
import { startRedis, type TestRedis } from "../support/databases/redis.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { startWorld, type World } from "../support/world/world.ts";

describe("A registry tag that somebody else overwrites", function () {
  this.timeout(90_000);
  let redis: TestRedis;
  let queues: Queues;
  let world: World;

  before(async () => {
    redis = await startRedis();
    queues = openQueues({ url: redis.url }, silentLog);
    world = await startWorld({ config: { redisUrl: redis.url } });
  });
  after(async () => {
    await queues.close();
    await world?.stop();
    await redis.stop();
  });

  it("is restored if it is a moving name, though the local store no longer has the content", async () => {
    const { repo, older, newer } = await twoReleases("moving");
    await putName("acme/moving", older, "main");
    await rm(join(world.deliverd.dataDir, "store"), { recursive: true });
    await verify(repo);
    await until("main is ours again", async () => (await world.digest("acme/moving", "main")) === newer);
    const [line] = said("a moving name was changed behind our back");
    assert.deepEqual(
      [line?.level, line?.registry, line?.name, line?.released, line?.found],
      ["warn", "local", "acme/moving:main", newer, older],
    );
    assert.doesNotMatch(await metrics(), /^deliverd_drift_total\{[^}]*\} [1-9]/m);
  });

  it("is restored if it is a moving name that no branch claims any more", async () => {
    const { repo, older } = await twoReleases("gone", "*");
    await repo.branch("side");
    const sha = await repo.commit({ "greeting.txt": "Aside\n" });
    await world.release(repo);
    const digest = (await world.releases(repo, sha))[0]?.digest ?? "";
    await until("side stands", async () => (await world.digest("acme/gone", "side")) === digest);
    await repo.deleteRemote("side");
    await putName("acme/gone", older, "side");
    await verify(repo);
    await until("side is what it was", async () => (await world.digest("acme/gone", "side")) === digest);
  });

  it("raises an alarm and stays as it is if it is an immutable name", async () => {
    const { repo, sha, older, newer, version } = await twoReleases("immutable");
    await putName("acme/immutable", older, version);
    await verify(repo);
    const because = `acme/immutable:${version} in local holds ${older}, and was released as ${newer}: find out who changed it`;
    assert.deepEqual(await alarms(repo, sha), [because]);
    const [line] = said("an immutable name was changed behind our back");
    assert.deepEqual([line?.level, line?.name, line?.found], ["error", `acme/immutable:${version}`, older]);
    assert.match(await metrics(), /^deliverd_drift_total\{registry="local"\} 1$/m);

    await verify(repo);
    await until("the drift is counted again", async () => /drift_total\{registry="local"\} 2$/m.test(await metrics()));
    assert.deepEqual(await alarms(repo, sha), [because]);
    assert.equal(await world.digest("acme/immutable", version), older);
  });

  async function twoReleases(name: string, branches = "main") {
    const files = { ".deliverd.yml": `version: 1\non: { branches: ["${branches}"] }\nci: { required: [test] }\n` };
    const artifacts = `artifacts: [{ name: ${name}, kind: image, publish: [{ to: local, as: acme/${name} }] }]\n`;
    const repo = await world.repo(name, { ".deliverd.yml": files[".deliverd.yml"] + artifacts });
    const [first] = await world.releases(repo, await world.release(repo));
    await repo.commit({ "greeting.txt": "Newer\n" });
    const sha = await world.release(repo);
    const [second] = await world.releases(repo, sha);
    const [older, newer] = [first?.digest ?? "", second?.digest ?? ""];
    assert.notEqual(older, newer);
    await until("main stands", async () => (await world.digest(`acme/${name}`, "main")) === newer);
    return { repo, sha, older, newer, version: second?.version ?? "" };
  }

  /** What anybody can do who may push there. */
  async function putName(repository: string, digest: string, tag: string): Promise<void> {
    const { url, username, password } = world.registry;
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const type = "application/vnd.docker.distribution.manifest.v2+json";
    const manifest = await fetch(`${url}/v2/${repository}/manifests/${digest}`, {
      headers: { authorization, accept: `${type}, application/vnd.oci.image.manifest.v1+json` },
    });
    const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`, {
      method: "PUT",
      headers: { authorization, "content-type": manifest.headers.get("content-type") ?? type },
      body: await manifest.text(),
    });
    assert.equal(answer.status, 201);
    assert.equal(await world.digest(repository, tag), digest);
  }

  /** The job that is queued for every recent release once an hour. */
  async function verify({ repo, name }: SampleRepo): Promise<void> {
    assert.ok(await queues.add("names", { repo: `github:${repo.id}`, artifact: name, verify: true }));
  }

  function said(message: string): Record<string, unknown>[] {
    return world.deliverd
      .output()
      .split("\n")
      .filter((line) => line.includes(message))
      .map((line) => JSON.parse(line));
  }

  async function metrics(): Promise<string> {
    return (await world.deliverd.fetch("/metrics")).text();
  }

  function alarms({ owner, name }: SampleRepo, sha: string): Promise<string[]> {
    return until("an alarm is on record", async () => {
      const path = `/api/v1/why?repo=${owner}/${name}&sha=${sha}`;
      const { events } = await world.deliverd.api<{ events: { kind: string; text: string }[] }>(path);
      const found = events.filter(({ kind }) => kind === "alarm");
      return found.length > 0 && found.map(({ text }) => text);
    });
  }
});
