import { Worker } from "bullmq";
import type { Log } from "../log.ts";
import { patientConnection, type RedisAddress } from "./connection.ts";
import { PREFIX } from "./queue.ts";
import type { Jobs, QueueName } from "./queues.ts";

export interface Consumer {
  /** Takes no more work and waits for what runs. */
  close(): Promise<void>;
  /** Lets go at once: what runs is another's from now on. */
  abandon(): Promise<void>;
}

/**
 * A failed job is not tried again by the queue: the ledger counts attempts and says when the next is due. The lock is
 * short (5 s), so that a killed worker's jobs come back within two checks, and may be lost any number of times.
 */
export function consume<N extends QueueName>(
  address: RedisAddress,
  name: N,
  concurrency: number,
  work: (data: Jobs[N]) => Promise<void>,
  log: Log,
): Consumer {
  const redis = patientConnection(address);
  const worker = new Worker(
    name,
    async (job) => {
      // What it works on is the ledger's choice: a delivery that falls due meanwhile must not wait for the end of another.
      if (name === "deliver") void job.removeDeduplicationKey().catch(() => {});
      await work(job.data as Jobs[N]);
    },
    {
      connection: redis,
      prefix: PREFIX,
      concurrency,
      lockDuration: 5_000,
      stalledInterval: 5_000,
      // A job that comes wakes a consumer at once: it need not ask by itself every 5 s.
      drainDelay: 60,
      maxStalledCount: 1_000_000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
  );
  worker.on("failed", (job, error) => log.error("a job failed", { queue: name, job: job?.data, error }));
  worker.on("error", () => {});
  return {
    async close() {
      await worker.close();
      redis.disconnect();
    },
    async abandon() {
      await worker.close(true);
      redis.disconnect();
    },
  };
}
