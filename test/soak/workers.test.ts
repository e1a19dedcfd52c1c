import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { hold } from "../faults/hold.ts";
import type { Pushed } from "../faults/oracle.ts";
import { begin, quickFiles, settled } from "../faults/support.ts";
import { type Postgres, startPostgres } from "../support/databases/postgres.ts";
import { startRedis, type TestRedis } from "../support/databases/redis.ts";
import { type OwnEngine, startOwnEngine } from "../support/engine/engine.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/network/faulty-proxy.ts";
import { until } from "../support/processes/process.ts";
import { type Deliverd, startDeliverd } from "../support/world/deliverd.ts";
import { startWorld, type World } from "../support/world/world.ts";

/** The lease of a worker that says nothing more runs out after 12 s; then the sweep has to come by. */
const TAKEN_OVER = 90_000;
/** No two builds of it are the same. */
const RANDOM = "busybox head -c 16 /dev/urandom > /nonce";

describe("A worker stopped (SIGSTOP) past its lease and continued", function () {
  this.timeout(600_000);
  let redis: TestRedis;
  let postgres: Postgres;
  let engine: OwnEngine;
  let proxy: FaultyProxy;
  let world: World;
  let workers: Deliverd[] = [];

  before(async () => {
    redis = await startRedis();
    postgres = await startPostgres();
    engine = await startOwnEngine();
    const shared = { redisUrl: redis.url, databaseUrl: await postgres.newDatabase() };
    world = await startWorld({
      command: "receiver",
      async config({ registry: { url, username, password } }) {
        proxy = await startFaultyProxy(url);
        const registries = { local: { type: "oci", url: proxy.url, username, password, default: true } };
        // With limits the classic builder builds, which does not join two builds of one step.
        return { ...shared, registries, docker: { socket: engine.socket, limits: { memory: "1GB" } } };
      },
    });
    const text = await readFile(world.deliverd.configFile, "utf8");
    const { dataDir: _dir, port: _port, ...config } = parse(text) as Record<string, unknown>;
    workers = await Promise.all([1, 2].map(() => startDeliverd({ command: "worker", config })));
  });

  after(async () => {
    const violations = world?.github.violations;
    await Promise.all(workers.map((worker) => worker.remove()));
    await world?.stop();
    for (const server of [proxy, engine, postgres, redis]) await server?.stop();
    assert.deepEqual(violations, []);
  });

  it("during a build publishes nothing: the second worker builds again, and one digest stands", async () => {
    const build = hold("stopped", { after: RANDOM });
    const repo = await world.repo("stopped", build.files);
    const one = await begin(world, repo);
    await build.held();
    const first = await stop(repo, one);
    const [early = 0] = await build.waiting();
    const late = await until(
      "the other builds",
      async () => (await build.waiting()).find((pid) => pid !== early),
      TAKEN_OVER,
    );
    process.kill(late, "SIGTERM");
    await settled(world, [one]);
    process.kill(first.pid(), "SIGCONT");
    process.kill(early, "SIGTERM");
    await until(
      "the first worker notices that its lease was lost",
      () => first.output().includes("its lease was lost"),
      TAKEN_OVER,
    );
    await settled(world, [one]);
    assert.equal((await world.releases(repo, one.sha)).length, 1);
  });

  it("during the write of a name restores the bytes of the second worker, which it overwrote", async () => {
    const repo = await world.repo("late", {
      ...quickFiles("late"),
      busybox: { executable: await readFile("/bin/busybox") },
      Dockerfile: `FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "PATH=/bin; ${RANDOM}"]\n`,
    });
    let arrive = () => {};
    const after = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const held: FaultyProxy["passed"] = [];
    proxy.fault = (request) => {
      if (request.method !== "PUT" || !request.url.includes("/manifests/") || held.length > 0) return undefined;
      held.push(request);
      return { after };
    };
    const one = await begin(world, repo);
    await until("a name is on the way", () => held.length > 0, 60_000);
    const first = await stop(repo, one);
    // Else the second would find the first's layers.
    await engine.docker.pruneImages({ filters: { dangling: { false: true } } });
    await world.status(repo, one.sha, "late", "success", TAKEN_OVER);
    const [release] = await world.releases(repo, one.sha);
    arrive();
    await until("the name has arrived", () => held[0]?.status === 201);
    const tag = held[0]?.url.split("/").at(-1) ?? "";
    assert.notEqual(await world.digest("acme/late", tag), release?.digest);
    process.kill(first.pid(), "SIGCONT");
    await settled(world, [one]);
    assert.equal(await world.digest("acme/late", tag), release?.digest);
  });

  /** Stops the worker that has the commit. */
  async function stop(repo: SampleRepo, { sha }: Pushed): Promise<Deliverd> {
    const { id } = await world.delivery(repo, sha);
    const holder = await until("a worker logs that it has the delivery", () =>
      workers.find((one) => one.output().includes(id)),
    );
    process.kill(holder.pid(), "SIGSTOP");
    return holder;
  }
});
