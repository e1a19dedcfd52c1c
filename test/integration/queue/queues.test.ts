import assert from "node:assert/strict";
import { silentLog } from "../../../src/observe/log.ts";
import type { RedisAddress } from "../../../src/queue/connection.ts";
import { failFastConnection, requireNoEviction } from "../../../src/queue/connection.ts";
import { type Consumer, consume } from "../../../src/queue/consume.ts";
import { openQueues, type Queues } from "../../../src/queue/queues.ts";
import { startRedis, type TestRedis } from "../../support/databases/redis.ts";
import { startRelay } from "../../support/network/relay.ts";
import { until } from "../../support/processes/process.ts";

const job = { repo: "github:1", sha: "a".repeat(40), ref: null };

describe("the queues", function () {
  this.timeout(60_000);
  let redis: TestRedis;
  let address: RedisAddress;
  let queues: Queues;
  let closing: (() => Promise<unknown>)[] = [];

  before(async () => {
    redis = await startRedis();
    address = { url: redis.url };
  });

  after(async () => {
    await redis?.stop();
  });

  beforeEach(async () => {
    await redis.flush();
    queues = openQueues(address, silentLog);
    closing = [() => queues.close()];
  });

  afterEach(async () => {
    for (const close of closing.reverse()) await close();
  });

  const consumer = (work: (data: typeof job) => Promise<void>, concurrency = 4): Consumer => {
    const one = consume(address, "evaluate", concurrency, work as never, silentLog);
    closing.push(() => one.abandon());
    return one;
  };

  it("give each job with its data to one consumer", async () => {
    const got: unknown[] = [];
    consumer(async (data) => void got.push(data));
    assert.equal(await queues.add("evaluate", job), true);
    assert.equal(await queues.add("evaluate", { ...job, sha: "b".repeat(40) }), true);
    await until("both came", () => got.length === 2);
    assert.deepEqual(got, [job, { ...job, sha: "b".repeat(40) }]);
  });

  it("keep one of several equal jobs that wait", async () => {
    for (let time = 0; time < 20; time++) await queues.add("evaluate", job);
    let runs = 0;
    consumer(async () => void runs++);
    await until("it ran", () => runs > 0);
    await drained(() => runs);
    assert.equal(runs, 1);
  });

  it("run exactly one more job after a running one, however often it is queued meanwhile", async () => {
    let runs = 0;
    let atOnce = 0;
    let most = 0;
    const gate = deferred();
    consumer(async () => {
      runs++;
      most = Math.max(most, ++atOnce);
      if (runs === 1) await gate.promise;
      atOnce--;
    });
    await queues.add("evaluate", job);
    await until("it runs", () => runs === 1);
    for (let time = 0; time < 20; time++) await queues.add("evaluate", job);
    gate.resolve();
    await until("the second ran", () => runs === 2);
    await drained(() => runs);
    assert.deepEqual([runs, most], [2, 1]);
  });

  it("run a delivery's job beside a running one with its key, which may work on another delivery", async () => {
    let runs = 0;
    const gate = deferred();
    const one = consume(address, "deliver", 2, () => (++runs === 1 ? gate.promise : Promise.resolve()), silentLog);
    closing.push(() => one.abandon());
    await queues.add("deliver", { delivery: "a" });
    await until("it runs", () => runs === 1);
    await until("the second runs", async () => (await queues.add("deliver", { delivery: "a" })) && runs > 1);
    gate.resolve();
  });

  it("do not drop a job that is due now because of an equal delayed one", async () => {
    let runs = 0;
    consumer(async () => void runs++);
    await queues.add("evaluate", job, { delay: 60_000 });
    await queues.add("evaluate", job);
    await until("the one that is due ran", () => runs === 1);
  });

  it("run a delayed job when it is due", async () => {
    const begun = Date.now();
    let ran = 0;
    consumer(async () => {
      ran = Date.now();
    });
    await queues.add("evaluate", job, { delay: 700 });
    await until("it ran", () => ran > 0);
    assert.ok(ran - begun >= 690, `${ran - begun} ms`);
  });

  it("continue after a failed job, and accept the same one again", async () => {
    let runs = 0;
    consumer(async () => {
      runs++;
      if (runs === 1) throw new Error("this one fails");
    });
    await queues.add("evaluate", job);
    await until("it failed", () => runs === 1);
    await until("it is taken again", async () => (await queues.add("evaluate", job)) && runs === 2);
  });

  it("give the job of an abandoned consumer to another", async () => {
    const gate = deferred();
    closing.unshift(async () => gate.resolve());
    let begun = 0;
    const first = consume(
      address,
      "evaluate",
      1,
      async () => {
        begun++;
        await gate.promise;
      },
      silentLog,
    );
    await queues.add("evaluate", job);
    await until("the first has it", () => begun === 1);
    await first.abandon();
    let runs = 0;
    consumer(async () => void runs++);
    await until("the second has it", () => runs === 1, 30_000);
  });

  it("wait for running jobs when they close", async () => {
    const gate = deferred();
    let runs = 0;
    let ended = false;
    const one = consumer(async () => {
      runs++;
      await gate.promise;
      ended = true;
    });
    await queues.add("evaluate", job);
    await until("it runs", () => runs === 1);
    const closed = one.close().then(() => ended);
    gate.resolve();
    assert.equal(await closed, true);
  });

  it("report within seconds that Redis is down, and work again when it is back", async () => {
    const warned: string[] = [];
    const log = { ...silentLog, warn: (text: string) => void warned.push(text) };
    const own = openQueues(address, log);
    closing.push(() => own.close());
    let runs = 0;
    consumer(async () => void runs++);
    assert.equal(await own.ping(), true);
    await redis.stop();
    const begun = Date.now();
    assert.equal(await own.add("evaluate", job), false);
    assert.equal(await own.ping(), false);
    assert.ok(Date.now() - begun < 8_000, `${Date.now() - begun} ms`);
    assert.match(warned[0] ?? "", /Redis did not take a job/);
    await redis.restart();
    await until("a job is taken", () => own.add("evaluate", job), 30_000);
    await until("and done", () => runs > 0, 30_000);
  });

  it("work again when Redis is back, though it went away while their first job was added", async () => {
    const port = Number(new URL(redis.url).port);
    const relay = await startRelay(port);
    closing.push(() => relay.stop());
    const own = openQueues({ url: `redis://127.0.0.1:${relay.port}` }, silentLog);
    closing.push(() => own.close());
    // Loads BullMQ, so that the next queue is opened at once.
    assert.equal(await own.add("announce", {}), true);
    relay.stall();
    const added = own.add("evaluate", job);
    await relay.refuse();
    assert.equal(await added, false);
    await relay.accept();
    await until("a job is taken", () => own.add("evaluate", job), 15_000);
  });

  it("follow a failover after which their server accepts no more writes", async () => {
    const next = await startRedis();
    closing.push(() => next.stop());
    const [portBefore, portAfter] = [redis.url, next.url].map((url) => Number(new URL(url).port));
    const relay = await startRelay(portBefore ?? 0);
    closing.push(() => relay.stop());
    const through = { url: `redis://127.0.0.1:${relay.port}` };
    const own = openQueues(through, silentLog);
    closing.push(() => own.close());
    let runs = 0;
    const one = consume(through, "evaluate", 1, async () => void runs++, silentLog);
    closing.push(() => one.abandon());
    assert.equal(await own.add("evaluate", job), true);
    await until("it is done", () => runs === 1);
    relay.aim(portAfter ?? 0);
    const admin = failFastConnection(address);
    closing.push(async () => {
      await admin.call("REPLICAOF", "NO", "ONE");
      admin.disconnect();
    });
    await admin.call("REPLICAOF", "127.0.0.1", String(portAfter));
    await until("a job is taken", () => own.add("evaluate", job), 10_000);
    await until("and done", () => runs > 1, 10_000);
  });

  it("refuse a Redis that may delete jobs, and say what to do", async () => {
    const connection = failFastConnection(address);
    try {
      await requireNoEviction(connection, silentLog);
      await connection.config("SET", "maxmemory-policy", "volatile-lru");
      await assert.rejects(requireNoEviction(connection, silentLog), {
        name: "ConfigError",
        code: "redis-evicts",
        message: /volatile-lru.*noeviction/,
      });
    } finally {
      await connection.config("SET", "maxmemory-policy", "noeviction");
      connection.disconnect();
    }
  });

  /** Nothing more comes once a marker that was queued last has come back. */
  async function drained(count: () => number): Promise<void> {
    const before = count();
    let seen = false;
    const marker = consume(
      address,
      "announce",
      1,
      async () => {
        seen = true;
      },
      silentLog,
    );
    await queues.add("announce", {});
    await until("the marker came", () => seen);
    await marker.close();
    assert.equal(count(), before);
  }
});

function deferred(): { promise: Promise<void>; resolve(): void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
