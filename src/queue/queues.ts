import type { JobsOptions, Queue } from "bullmq";
import { withTimeout } from "../async/with-timeout.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Log } from "../observe/log.ts";
import { RepeatedLog } from "../observe/repeated-log.ts";
import { type Connection, failFastConnection, type RedisAddress } from "./connection.ts";

/** The jobs of each queue. They contain only keys; the data is in the ledger. */
export interface Jobs {
  /** Evaluate this commit, or the one that this ref points to. */
  evaluate: { repo: RepoId; sha: Sha | null; ref: string | null };
  /** This delivery is due. The worker that takes the job works on the delivery that the ledger says is next. */
  deliver: { delivery: string };
  /** Prepare this delivery while its CI still runs. */
  prepare: { delivery: string };
  /** Update this artifact's moving names. `verify`: first ask the registries whether they still have all names. */
  names: { repo: RepoId; artifact: string; verify?: true };
  /** Send the due messages of the outbox. */
  announce: Record<string, never>;
}
export type QueueName = keyof Jobs;

/** A Redis that hangs must not block a worker for longer. */
const COMMAND_TIMEOUT_MS = 3_000;
const NO_ANSWER = "no answer from Redis";

export interface Queues {
  /**
   * Queues a job. Does nothing if a job with the same key waits already; if one runs, exactly one more follows it. An
   * exception is `deliver`, which may work on any delivery: another job with its key can run beside it.
   * @param options `delay` in ms
   * @returns false if Redis did not accept it: the sweep then queues it from the ledger
   */
  add<N extends QueueName>(name: N, data: Jobs[N], options?: { delay?: number }): Promise<boolean>;
  ping(): Promise<boolean>;
  /** How many jobs wait for a consumer; null if Redis does not answer. */
  countWaiting(name: QueueName): Promise<number | null>;
  close(): Promise<void>;
}

export function openQueues(address: RedisAddress, log: Log): Queues {
  const redis = failFastConnection(address);
  const queues = new Map<QueueName, Promise<Queue>>();
  const open: Queue[] = [];
  const notTaken = new RepeatedLog((facts) =>
    log.warn("Redis did not take a job; the sweep will queue it from the ledger", facts),
  );
  const queueOf = (name: QueueName) => {
    const known = queues.get(name);
    if (known !== undefined) return known;
    const queue = openReadyQueue(redis, name);
    queues.set(name, queue);
    // BullMQ never recovers a queue that failed to open: the next job opens another.
    queue.then(
      (opened) => open.push(opened),
      () => queues.delete(name),
    );
    return queue;
  };
  return {
    async add(name, data, options = {}) {
      try {
        await withTimeout(
          COMMAND_TIMEOUT_MS,
          queueOf(name).then((queue) => queue.add(name, data, jobOptions(name, data, options.delay ?? 0))),
          NO_ANSWER,
        );
        return true;
      } catch (error) {
        notTaken.add(name, { queue: name, error });
        return false;
      }
    },
    async ping() {
      return withTimeout(COMMAND_TIMEOUT_MS, redis.ping(), NO_ANSWER).then(
        () => true,
        () => false,
      );
    },
    async countWaiting(name) {
      const counting = queueOf(name).then((queue) => queue.getWaitingCount());
      return withTimeout(COMMAND_TIMEOUT_MS, counting, NO_ANSWER).catch(() => null);
    },
    async close() {
      // A queue that still waits for Redis ends with its connection.
      await Promise.allSettled(open.map((queue) => queue.close()));
      redis.disconnect();
    },
  };
}

async function openReadyQueue(redis: Connection, name: QueueName): Promise<Queue> {
  // BullMQ is large: it is loaded later, so that webhooks can be stored before.
  const { openBullQueue } = await import("./bullmq.ts");
  const queue = openBullQueue(redis, name);
  await queue.waitUntilReady();
  return queue;
}

/** Two jobs of a queue with the same key ask for the same work. */
export function jobKey(data: Jobs[QueueName]): string {
  return Object.values(data).join("|");
}

function jobOptions(name: QueueName, data: Jobs[QueueName], delay: number): JobsOptions {
  const key = jobKey(data);
  // A delayed job must not replace one that is due now, so it has another key.
  const id = delay > 0 ? `later|${name}|${key}` : `${name}|${key}`;
  return { delay, removeOnComplete: true, removeOnFail: true, deduplication: { id, keepLastIfActive: true } };
}
