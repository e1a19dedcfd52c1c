import assert from "node:assert/strict";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { consume } from "../../../src/queue/consume.ts";
import { openQueues } from "../../../src/queue/queues.ts";
import { StalledConsumers } from "../../../src/queue/stalled-consumers.ts";
import { startRedis } from "../../support/databases/redis.ts";
import { startRelay } from "../../support/network/relay.ts";
import { until } from "../../support/processes/process.ts";

const job = (n: number) => ({ repo: "github:1", sha: `${n}`.repeat(40), ref: null });

describe("a queue consumer that receives nothing more", function () {
  this.timeout(60_000);

  it("is reconnected and counted, but only if jobs wait and Redis answers", async () => {
    const redis = await startRedis();
    const relay = await startRelay(Number(new URL(redis.url).port));
    const queues = openQueues({ url: redis.url }, silentLog);
    let ran = 0;
    let hold: Promise<void> | null = null;
    const consumer = consume(
      { url: `redis://127.0.0.1:${relay.port}` },
      "evaluate",
      1,
      async () => {
        ran += 1;
        await hold;
      },
      silentLog,
    );
    const metrics = createMetrics();
    const silence = new StalledConsumers([consumer], queues, silentLog, metrics.counter("renewed", "Renewed."));
    try {
      await queues.add("evaluate", job(1));
      await until("it works", () => ran === 1);
      for (let time = 0; time < 3; time++) await silence.check();
      assert.doesNotMatch(await metrics.text(), /^renewed/m, "nothing waits");

      let end = () => {};
      hold = new Promise((resolve) => {
        end = resolve;
      });
      await queues.add("evaluate", job(2));
      await until("it is busy", () => ran === 2);
      await queues.add("evaluate", job(3));
      for (let time = 0; time < 3; time++) await silence.check();
      assert.doesNotMatch(await metrics.text(), /^renewed/m, "it is busy, not silent");
      hold = null;
      end();
      await until("it goes on", () => ran === 3);
      await until("its queue is empty", async () => (await queues.countWaiting("evaluate")) === 0 && consumer.isFree());

      relay.stallAnswers();
      await queues.add("evaluate", job(4));
      await silence.check();
      assert.doesNotMatch(await metrics.text(), /^renewed/m, "once may be a moment");
      await silence.check();
      await until("the new one does it", () => ran === 4, 20_000);
      assert.match(await metrics.text(), /^renewed\{queue="evaluate"\} 1$/m);
    } finally {
      await consumer.close();
      await queues.close();
      await relay.stop();
      await redis.stop();
    }
  });

  it("is not reconnected while Redis does not answer", async () => {
    const metrics = createMetrics();
    const consumer = {
      ...{ name: "evaluate" as const, jobEvents: () => 0, isFree: () => true },
      ...{ reconnect: () => assert.fail("renewed"), close: async () => {}, abandon: async () => {} },
    };
    const silence = new StalledConsumers(
      [consumer],
      { countWaiting: async () => null },
      silentLog,
      metrics.counter("r", "R."),
    );
    for (let time = 0; time < 3; time++) await silence.check();
  });
});
