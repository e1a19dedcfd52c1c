import { Worker } from "bullmq";
import type { Log } from "../observe/log.ts";
import { KEY_PREFIX } from "./bullmq.ts";
import { type Connection, persistentConnection, type RedisAddress } from "./connection.ts";
import type { Jobs, QueueName } from "./queues.ts";

export interface Consumer {
  name: QueueName;
  /** How many times a job has begun or ended here. The same number again means: no job arrived meanwhile. */
  jobEvents(): number;
  /** Whether it can run another job. */
  isFree(): boolean;
  /** Replaces its connection to Redis. Running jobs continue. */
  reconnect(): void;
  /** Takes no more jobs and waits for the running ones. */
  close(): Promise<void>;
  /** Closes at once. Other consumers get the running jobs. */
  abandon(): Promise<void>;
}

/** Long enough for most Redis failovers to be over. */
const RECONNECT_DELAY_MS = 1_000;

interface Subscription {
  worker: Worker;
  redis: Connection;
}

/**
 * Consumes jobs of one queue. The queue does not retry a failed job: the ledger counts attempts and decides when the
 * next is due. Locks are short (5 s), so that other consumers soon get a killed worker's jobs.
 */
export function consume<N extends QueueName>(
  address: RedisAddress,
  name: N,
  concurrency: number,
  work: (data: Jobs[N]) => Promise<void>,
  log: Log,
): Consumer {
  const running = new Set<Promise<void>>();
  let events = 0;
  const open = (): Subscription => {
    const redis = persistentConnection(address);
    const worker = new Worker(
      name,
      async (job) => {
        // The ledger chooses the delivery to work on. A job for another one that becomes due must not wait for this
        // one.
        if (name === "deliver") void job.removeDeduplicationKey().catch(() => {});
        const done = work(job.data as Jobs[N]);
        running.add(done);
        events += 1;
        try {
          await done;
        } finally {
          running.delete(done);
          events += 1;
        }
      },
      {
        connection: redis,
        prefix: KEY_PREFIX,
        concurrency,
        lockDuration: 5_000,
        stalledInterval: 5_000,
        // A new job wakes the consumer at once, so it need not poll more often.
        drainDelay: 60,
        maxStalledCount: 1_000_000,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      },
    );
    worker.on("failed", (job, error) => log.error("a job failed", { queue: name, job: job?.data, error }));
    worker.on("error", (error) => {
      // Redis refused a command: BullMQ may have removed its marker for a waiting job but not the job, and would then
      // sleep for `drainDelay`.
      if (error.name === "ReplyError") reconnectTimer ??= setTimeout(reconnect, RECONNECT_DELAY_MS).unref();
    });
    return { worker, redis };
  };
  let reconnectTimer: NodeJS.Timeout | null = null;
  const reconnect = () => {
    const { worker, redis } = subscription;
    reconnectTimer = null;
    subscription = open();
    // Do not wait for the old connection: it may never answer. The jobs it holds come back when their locks expire.
    void worker.close(true).catch(() => {});
    redis.disconnect();
  };
  const cancelReconnect = () => {
    if (reconnectTimer !== null) clearTimeout(reconnectTimer);
  };
  let subscription = open();
  return {
    name,
    jobEvents: () => events,
    isFree: () => running.size < concurrency,
    reconnect,
    async close() {
      cancelReconnect();
      await subscription.worker.close();
      subscription.redis.disconnect();
      await Promise.allSettled(running);
    },
    async abandon() {
      cancelReconnect();
      await subscription.worker.close(true);
      subscription.redis.disconnect();
    },
  };
}
