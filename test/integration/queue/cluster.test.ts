import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { silentLog } from "../../../src/observe/log.ts";
import { failFastConnection, isClusterNode } from "../../../src/queue/connection.ts";
import { consume } from "../../../src/queue/consume.ts";
import { type Jobs, openQueues, type QueueName } from "../../../src/queue/queues.ts";
import { startRedis } from "../../support/databases/redis.ts";
import { type RedisCluster, startRedisCluster } from "../../support/databases/redis-cluster.ts";
import { until } from "../../support/processes/process.ts";

const JOBS: { [N in QueueName]: Jobs[N] } = {
  evaluate: { repo: "github:1", sha: "a".repeat(40), ref: null },
  deliver: { delivery: "a" },
  prepare: { delivery: "a" },
  names: { repo: "github:1", artifact: "api" },
  announce: {},
};

describe("the queues in a Redis Cluster", function () {
  this.timeout(120_000);
  let cluster: RedisCluster;

  before(async () => {
    cluster = await startRedisCluster();
  });

  after(async () => {
    await cluster?.stop();
  });

  it("work through any node of the cluster, each queue with all its keys in one slot", async () => {
    for (const url of cluster.urls) {
      const connection = failFastConnection({ url });
      const address = { url, isCluster: await isClusterNode(connection) };
      connection.disconnect();
      assert.equal(address.isCluster, true);
      const queues = openQueues(address, silentLog);
      const done = new Set<string>();
      const names = Object.keys(JOBS) as QueueName[];
      const consumers = names.map((name) => consume(address, name, 2, async () => void done.add(name), silentLog));
      try {
        await until("it knows the cluster", () => queues.ping());
        for (const name of names) {
          assert.equal(await queues.add(name, JOBS[name]), true, name);
          await queues.add(name, JOBS[name], { delay: 50 });
        }
        await until("every queue did its job", () => done.size === names.length);
        assert.equal(await queues.ping(), true);
        assert.equal(await queues.countWaiting("evaluate"), 0);
      } finally {
        for (const consumer of consumers) await consumer.close();
        await queues.close();
      }
    }
    const holders: string[] = [];
    for (const url of cluster.urls) {
      const node = new Redis(url);
      if ((await node.keys("*")).length > 0) holders.push(url);
      node.disconnect();
    }
    assert.equal(holders.length, 1);
  });

  it("do not use cluster mode with a single Redis", async () => {
    const redis = await startRedis();
    const connection = failFastConnection({ url: redis.url });
    assert.equal(await isClusterNode(connection), false);
    connection.disconnect();
    await redis.stop();
  });
});
