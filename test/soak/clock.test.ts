import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { hold } from "../faults/hold.ts";
import type { Pushed } from "../faults/oracle.ts";
import { begin, quickFiles, settled } from "../faults/support.ts";
import { type Postgres, startPostgres } from "../support/databases/postgres.ts";
import { startRedis, type TestRedis } from "../support/databases/redis.ts";
import { until } from "../support/processes/process.ts";
import { type Deliverd, startDeliverd } from "../support/world/deliverd.ts";
import { startWorld, type World } from "../support/world/world.ts";

/** More than a lease of 12 s, renewed by nobody, and a sweep of 10 s. */
const LONG = 25_000;

describe("Workers whose clocks are an hour ahead and an hour behind", function () {
  this.timeout(600_000);
  let redis: TestRedis;
  let postgres: Postgres;
  let world: World;
  let workers: Deliverd[] = [];

  before(async () => {
    redis = await startRedis();
    postgres = await startPostgres();
    const shared = { redisUrl: redis.url, databaseUrl: await postgres.newDatabase() };
    world = await startWorld({ command: "receiver", config: shared });
    const text = await readFile(world.deliverd.configFile, "utf8");
    const { dataDir: _dir, port: _port, ...config } = parse(text) as Record<string, unknown>;
    const env = (hours: number) => ({ NODE_OPTIONS: `--import=${shifted(hours)}` });
    workers = await Promise.all([1, -1].map((hours) => startDeliverd({ command: "worker", config, env: env(hours) })));
  });

  after(async () => {
    const violations = world?.github.violations;
    await Promise.all(workers.map((worker) => worker.remove()));
    await world?.stop();
    await postgres?.stop();
    await redis?.stop();
    assert.deepEqual(violations, []);
  });

  it("take no lease from each other: a long build runs once, and all is released and announced once", async () => {
    const pushed: Pushed[] = [];
    const build = hold("long");
    const long = await world.repo("long", build.files);
    pushed.push(await begin(world, long));
    await build.held();
    const heldAt = Date.now();
    for (const name of ["a", "b", "c"]) pushed.push(await begin(world, await world.repo(name, quickFiles(name))));
    await settled(world, pushed.slice(1));
    await until("an unrenewed lease would have expired", () => Date.now() - heldAt > LONG, 2 * LONG);
    assert.equal((await build.waiting()).length, 1);
    await build.release();
    await settled(world, pushed);
    assert.match(await world.log(long, pushed[0]?.sha ?? ""), /^— attempt 1,/);
    assert.doesNotMatch(await world.log(long, pushed[0]?.sha ?? ""), /— attempt 2,/);
    assert.deepEqual(world.sink.refused, []);
  });
});

/** A module that turns a process's clock by so many hours. */
function shifted(hours: number): string {
  const code = `const RealDate = Date, ahead = ${hours} * 3600000;
    globalThis.Date = class extends RealDate {
      constructor(...given) { if (given.length === 0) super(RealDate.now() + ahead); else super(...given); }
      static now() { return RealDate.now() + ahead; }
    };`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
