import { type JobsOptions, Queue, Worker } from "bullmq";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Log } from "../log.ts";
import { within } from "../within.ts";
import { hastyConnection, patientConnection, type RedisAddress } from "./connection.ts";

/** What travels through each queue: only keys. What they mean stands in the ledger. */
export interface Jobs {
  /** Look at this commit, or at what this ref points to. */
  evaluate: { repo: RepoId; sha: Sha | null; ref: string | null };
  /** There is this delivery to go on with: whoever takes the job goes on with the one that the ledger says is next. */
  deliver: { delivery: string };
  /** Do the first half of this delivery while its CI still runs. */
  prepare: { delivery: string };
  /** Put this artifact's moving names where they belong; `verify`: ask the registries first whether they still stand. */
  names: { repo: RepoId; artifact: string; verify?: true };
  /** Send what the outbox owes. */
  announce: Record<string, never>;
}
export type QueueName = keyof Jobs;
const QUEUES: QueueName[] = ["evaluate", "deliver", "prepare", "names", "announce"];

const PREFIX = "deliverd";
/** `add` waits for so long at most: a Redis that hangs must not hold a worker. */
const ADD_DEADLINE = 3_000;
const NO_ANSWER = "no answer from Redis";

export interface Queues {
  /**
   * Queues a job; one of the same key that waits already is enough, one that runs is followed by exactly one more. A
   * `deliver` that runs may work on anything: one of its key goes beside it.
   * False when Redis did not take it: the sweep finds what is owed in the ledger.
   */
  add<N extends QueueName>(name: N, data: Jobs[N], options?: { delay?: number }): Promise<boolean>;
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

export function openQueues(address: RedisAddress, log: Log): Queues {
  const redis = hastyConnection(address);
  const queues = new Map(QUEUES.map((name) => [name, new Queue(name, { connection: redis, prefix: PREFIX })]));
  for (const queue of queues.values()) queue.on("error", () => {});
  return {
    async add(name, data, options = {}) {
      try {
        await within(
          ADD_DEADLINE,
          queueOf(queues, name).add(name, data, jobOptions(name, data, options.delay ?? 0)),
          NO_ANSWER,
        );
        return true;
      } catch (error) {
        log.warn("Redis did not take a job; the sweep will queue it from the ledger", { queue: name, error });
        return false;
      }
    },
    async ping() {
      return within(ADD_DEADLINE, redis.ping(), NO_ANSWER).then(
        () => true,
        () => false,
      );
    },
    async close() {
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
      redis.disconnect();
    },
  };
}

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

/** Jobs of one key in one queue ask for the same. */
export function jobKey(data: Jobs[QueueName]): string {
  return Object.values(data).join("|");
}

function jobOptions(name: QueueName, data: Jobs[QueueName], delay: number): JobsOptions {
  const key = jobKey(data);
  // A delayed look must not swallow one that is due now: it has a key of its own.
  const id = delay > 0 ? `later|${name}|${key}` : `${name}|${key}`;
  return { delay, removeOnComplete: true, removeOnFail: true, deduplication: { id, keepLastIfActive: true } };
}

function queueOf(queues: Map<QueueName, Queue>, name: QueueName): Queue {
  const queue = queues.get(name);
  if (queue === undefined) throw new Error(`no queue ${name}`);
  return queue;
}
