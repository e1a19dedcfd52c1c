import { Worker } from "bullmq";
import type { Log } from "../observe/log.ts";
import { KEY_PREFIX } from "./bullmq.ts";
import { type Connection, persistentConnection, type RedisAddress } from "./connection.ts";
import type { Jobs, QueueName } from "./queues.ts";

export interface Consumer {
  name: QueueName;
  /** How many jobs it has begun and ended: the same number again means that it heard nothing meanwhile. */
  jobEvents(): number;
  /** Has it a place for another job? */
  isFree(): boolean;
  /** Takes jobs over a new connection from now on. What runs comes to its end. */
  reconnect(): void;
  /** Takes no more work and waits for what runs. */
  close(): Promise<void>;
  /** Lets go at once: what runs is another's from now on. */
  abandon(): Promise<void>;
}

/** Long enough for most Redis failovers to be over. */
const RECONNECT_DELAY_MS = 1_000;

interface Line {
  worker: Worker;
  redis: Connection;
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
  const running = new Set<Promise<void>>();
  let heard = 0;
  const open = (): Line => {
    const redis = persistentConnection(address);
    const worker = new Worker(
      name,
      async (job) => {
        // What it works on is the ledger's choice: a delivery that falls due meanwhile must not wait for the end of another.
        if (name === "deliver") void job.removeDeduplicationKey().catch(() => {});
        const done = work(job.data as Jobs[N]);
        running.add(done);
        heard += 1;
        try {
          await done;
        } finally {
          running.delete(done);
          heard += 1;
        }
      },
      {
        connection: redis,
        prefix: KEY_PREFIX,
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
    worker.on("error", (error) => {
      // Redis refused: BullMQ may have taken the sign that a job waits without the job, and then sleeps for `drainDelay`.
      if (error.name === "ReplyError") reconnectTimer ??= setTimeout(reconnect, RECONNECT_DELAY_MS).unref();
    });
    return { worker, redis };
  };
  let reconnectTimer: NodeJS.Timeout | null = null;
  const reconnect = () => {
    const { worker, redis } = line;
    reconnectTimer = null;
    line = open();
    // Its connection may never answer: nobody waits for that. Jobs that it has in hand come back after their locks.
    void worker.close(true).catch(() => {});
    redis.disconnect();
  };
  const cancelReconnect = () => {
    if (reconnectTimer !== null) clearTimeout(reconnectTimer);
  };
  let line = open();
  return {
    name,
    jobEvents: () => heard,
    isFree: () => running.size < concurrency,
    reconnect,
    async close() {
      cancelReconnect();
      await line.worker.close();
      line.redis.disconnect();
      await Promise.allSettled(running);
    },
    async abandon() {
      cancelReconnect();
      await line.worker.close(true);
      line.redis.disconnect();
    },
  };
}
