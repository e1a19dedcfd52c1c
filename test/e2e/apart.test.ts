import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { parse, stringify } from "yaml";
import { type Postgres, startPostgres } from "../support/databases/postgres.ts";
import { startRedis, type TestRedis } from "../support/databases/redis.ts";
import { until } from "../support/processes/process.ts";
import { lintMetrics } from "../support/processes/promtool.ts";
import { BIN, type Deliverd, startDeliverd } from "../support/world/deliverd.ts";
import { image, pipeline, slowDockerfile, startWorld, type World } from "../support/world/world.ts";

async function scrape(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

/** Null: the scrape has no such sample. */
function sampleIn(text: string, sample: string): number | null {
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  return line === undefined ? null : Number(line.slice(sample.length));
}

describe("Receiver and workers in processes of their own, with Redis and PostgreSQL,", function () {
  this.timeout(120_000);
  let redis: TestRedis;
  let postgres: Postgres;
  let world: World;
  let workers: Deliverd[] = [];
  const receiver = () => world.deliverd;
  /** An answer may be a moment old: whoever waits for a change asks again. */
  const readiness = async () => {
    const response = await fetch(`${receiver().url}/readyz`);
    return { status: response.status, answer: (await response.json()) as { status: string; degraded: string[] } };
  };

  before(async () => {
    redis = await startRedis();
    postgres = await startPostgres();
    const shared = { redisUrl: redis.url, databaseUrl: await postgres.newDatabase() };
    world = await startWorld({ command: "receiver", config: shared });
    const {
      publicUrl: _url,
      dataDir: _dir,
      port: _port,
      ...config
    } = parse(await readFile(receiver().configFile, "utf8"));
    const settings = { ...config, publicUrl: receiver().url };
    workers = await Promise.all([1, 2].map(() => startDeliverd({ command: "worker", config: settings })));
  });

  after(async () => {
    const violations = world?.github.violations;
    await Promise.all(workers.map((worker) => worker.remove()));
    await world?.stop();
    await postgres?.stop();
    await redis?.stop();
    assert.deepEqual(violations, []);
  });

  it("deliver together, whichever worker takes the work, and the receiver shows log and page", async () => {
    const names = ["one", "two", "three"];
    const repos = await Promise.all(
      names.map((name) => world.repo(name, { ".deliverd.yml": pipeline([image(name)]) })),
    );
    const shas = await Promise.all(repos.map((repo) => world.release(repo)));
    for (const [index, repo] of repos.entries()) {
      const sha = shas[index] ?? "";
      assert.equal((await world.releases(repo, sha)).length, 1);
      assert.match(await world.log(repo, sha), /frozen as sha256:/);
      const { targetUrl } = await world.status(repo, sha, repo.name, "success");
      assert.equal(new URL(targetUrl ?? "").origin, receiver().url);
      assert.equal((await receiver().fetch(new URL(targetUrl ?? "").pathname)).status, 200);
      await until("it is announced once", () => world.notices(repo, sha).length === 1);
    }
  });

  it("export each number once: all counters add up, and only the receiver tells what the ledger knows", async () => {
    const scrapes = await Promise.all([receiver(), ...workers].map(async ({ url }) => await scrape(url)));
    const samplesOf = (sample: string) => scrapes.map((text) => sampleIn(text, sample));
    const delivered = samplesOf('deliverd_deliveries_total{outcome="delivered"}');
    assert.equal(
      delivered.reduce((sum: number, one) => sum + (one ?? 0), 0),
      3,
      String(delivered),
    );
    const waits = samplesOf("deliverd_queue_wait_seconds_count");
    assert.ok(waits.reduce((sum: number, one) => sum + (one ?? 0), 0) >= 3, String(waits));
    for (const stage of ["waiting", "queued", "building", "publishing"]) {
      const counted = samplesOf(`deliverd_delivery_stage_seconds_count{stage="${stage}"}`);
      assert.ok(counted.reduce((sum: number, one) => sum + (one ?? 0), 0) >= 3, `${stage}: ${counted}`);
    }
    const ofLedger = [
      'deliverd_deliveries{state="queued"}',
      'deliverd_outbox_pending{kind="notice"}',
      "deliverd_due_weight",
    ];
    for (const sample of ofLedger) assert.deepEqual(samplesOf(sample), [0, null, null], sample);
    assert.deepEqual(samplesOf('deliverd_slots{state="free"}'), [null, 2, 2]);
    for (const text of scrapes) assert.equal(await lintMetrics(text), "");
  });

  it("continue after a worker's SIGKILL in a build: the other worker takes over when the lease expires", async () => {
    const repo = await world.repo("taken", {
      Dockerfile: slowDockerfile(3.75),
      ".deliverd.yml": pipeline([image("taken")]),
    });
    const sha = await repo.head();
    await repo.push();
    await world.github.green(repo.repo, sha);
    const { id } = await until(
      "it builds",
      async () => {
        const delivery = await world.delivery(repo, sha).catch(() => null);
        return delivery?.state === "building" && delivery;
      },
      40_000,
    );
    const holder = await until("a worker logs that it has the delivery", () =>
      workers.find((worker) => worker.output().includes(id)),
    );
    await holder.kill();
    await world.status(repo, sha, "taken", "success", 60_000);
    assert.equal((await world.releases(repo, sha)).length, 1);
    await holder.restart();
  });

  it("report their own health: the receiver for the whole system, a worker for itself only", async () => {
    for (const part of [receiver(), ...workers]) {
      const health = await fetch(`${part.url}/healthz`);
      assert.deepEqual([health.status, await health.json()], [200, { status: "ok" }]);
      assert.equal((await fetch(`${part.url}/metrics`)).status, 200);
    }
    assert.deepEqual(await readiness(), { status: 200, answer: { status: "ready", degraded: [] } });
    const metrics = await (await fetch(`${receiver().url}/metrics`)).text();
    assert.match(metrics, /^deliverd_webhooks_total\{host="github",status="202"\} \d+$/m);
    for (const path of ["/", "/api/v1/deliveries", "/webhooks/github"]) {
      const answer = await fetch(`${workers[0]?.url}${path}`, { method: path.includes("webhooks") ? "POST" : "GET" });
      assert.equal(answer.status, 404, path);
    }
  });

  it("accept webhooks while Redis is down, report degraded, and continue when it is back", async () => {
    const repo = await world.repo("outage", { ".deliverd.yml": pipeline([image("outage")]) });
    const sha = await repo.head();
    await redis.stop();
    const answers = [...(await repo.push()), ...(await world.github.green(repo.repo, sha))].map(
      (hook) => hook.answer?.status,
    );
    assert.deepEqual(new Set(answers), new Set([202]));
    await until("readiness says so", async () => (await readiness()).answer.degraded.includes("redis"));
    assert.deepEqual(await readiness(), { status: 200, answer: { status: "degraded", degraded: ["redis"] } });
    await redis.restart();
    await world.status(repo, sha, "outage", "success");
    await until("readiness says so", async () => (await readiness()).answer.status === "ready");
  });

  it("answer webhooks with 503 while the ledger is down, and continue when it is back", async () => {
    const repo = await world.repo("ledgerless", { ".deliverd.yml": pipeline([image("ledgerless")]) });
    const sha = await repo.head();
    await postgres.pause();
    const hooks = await repo.push();
    assert.deepEqual(new Set(hooks.map((hook) => hook.answer?.status)), new Set([503]));
    await until("readiness says so", async () => (await readiness()).status === 503);
    await postgres.resume();
    for (const hook of hooks) assert.equal((await world.github.redeliver(hook)).status, 202);
    await world.github.green(repo.repo, sha);
    await world.status(repo, sha, "ledgerless", "success");
  });

  it("refuse to start without redisUrl, and name it", async () => {
    const { redisUrl: _, ...config } = parse(await readFile(receiver().configFile, "utf8"));
    const file = `${receiver().configFile}.apart`;
    await writeFile(file, stringify(config));
    for (const command of ["receiver", "worker"]) {
      const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
        execFile(process.execPath, [BIN, command, "--config", file], (error, _out, text) =>
          resolve({ code: error?.code, stderr: text }),
        );
      });
      assert.equal(code, 2, stderr);
      assert.match(
        stderr,
        /^redisUrl: a receiver and a worker in separate processes need a common Redis\. Set redisUrl/,
      );
    }
  });

  it("refuse to start on a Redis whose eviction policy may drop jobs", async () => {
    const evicting = await startRedis({ args: ["--maxmemory-policy", "allkeys-lru"] });
    try {
      const config = parse(await readFile(receiver().configFile, "utf8"));
      const file = `${receiver().configFile}.evicting`;
      await writeFile(file, stringify({ ...config, redisUrl: evicting.url, dataDir: `${config.dataDir}-2` }));
      const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
        execFile(process.execPath, [BIN, "start", "--config", file], (error, _out, text) =>
          resolve({ code: error?.code, stderr: text }),
        );
      });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^redisUrl: .*allkeys-lru.*noeviction/);
    } finally {
      await evicting.stop();
    }
  });
});
