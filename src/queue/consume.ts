import { type Job, Worker } from "bullmq";
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

const JOB_SETTINGS = {
  prefix: KEY_PREFIX,
  // Short, so that other consumers soon get the jobs of a killed worker.
  lockDuration: 5_000,
  stalledInterval: 5_000,
  // A new job wakes the consumer at once, so it need not poll more often.
  drainDelay: 60,
  maxStalledCount: 1_000_000,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
};

/**
 * Consumes jobs of one queue. The queue does not retry a failed job: the ledger counts attempts and decides when the
 * next is due.
 */
export function consume<N extends QueueName>(
  address: RedisAddress,
  name: N,
  concurrency: number,
  work: (data: Jobs[N], id: string) => Promise<void>,
  log: Log,
): Consumer {
  return new QueueConsumer(name, { address, concurrency, work, log });
}

interface ConsumerOptions<N extends QueueName> {
  address: RedisAddress;
  /** How many jobs run at a time. */
  concurrency: number;
  /** @param id the job's, for the log */
  work(data: Jobs[N], id: string): Promise<void>;
  log: Log;
}

class QueueConsumer<N extends QueueName> implements Consumer {
  readonly name: N;
  readonly #options: ConsumerOptions<N>;
  readonly #running = new Set<Promise<void>>();
  #events = 0;
  #subscription: { worker: Worker; redis: Connection };
  #reconnectTimer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(name: N, options: ConsumerOptions<N>) {
    this.name = name;
    this.#options = options;
    this.#subscription = this.#subscribe();
  }

  jobEvents(): number {
    return this.#events;
  }

  isFree(): boolean {
    return this.#running.size < this.#options.concurrency;
  }

  reconnect(): void {
    const { worker, redis } = this.#subscription;
    this.#reconnectTimer = null;
    this.#subscription = this.#subscribe();
    // Do not wait for the old connection: it may never answer. The jobs it holds come back when their locks expire.
    void worker.close(true).catch(() => {});
    redis.disconnect();
  }

  async close(): Promise<void> {
    this.#stopReconnecting();
    await this.#subscription.worker.close();
    this.#subscription.redis.disconnect();
    await Promise.allSettled(this.#running);
  }

  async abandon(): Promise<void> {
    this.#stopReconnecting();
    await this.#subscription.worker.close(true);
    this.#subscription.redis.disconnect();
  }

  #subscribe(): { worker: Worker; redis: Connection } {
    const { address, concurrency, log } = this.#options;
    const redis = persistentConnection(address);
    const settings = { ...JOB_SETTINGS, connection: redis, concurrency };
    const worker = new Worker(this.name, (job) => this.#runJob(job), settings);
    worker.on("failed", (job, error) => {
      log.error("a job failed", { queue: this.name, job: job?.id, data: job?.data, error });
    });
    worker.on("error", (error) => {
      // Redis refused a command: BullMQ may have removed its marker for a waiting job but not the job, and would then
      // sleep for `drainDelay`.
      if (error.name === "ReplyError") this.#reconnectSoon();
    });
    return { worker, redis };
  }

  async #runJob(job: Job): Promise<void> {
    // The ledger chooses the delivery to work on. A job for another one that becomes due must not wait for this one.
    if (this.name === "deliver") void job.removeDeduplicationKey().catch(() => {});
    const done = this.#options.work(job.data as Jobs[N], job.id ?? "");
    this.#running.add(done);
    this.#events += 1;
    try {
      await done;
    } finally {
      this.#running.delete(done);
      this.#events += 1;
    }
  }

  #reconnectSoon(): void {
    if (this.#isClosed) return;
    this.#reconnectTimer ??= setTimeout(() => this.reconnect(), RECONNECT_DELAY_MS).unref();
  }

  #stopReconnecting(): void {
    this.#isClosed = true;
    if (this.#reconnectTimer !== null) clearTimeout(this.#reconnectTimer);
  }
}
