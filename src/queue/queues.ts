import type { JobsOptions, Queue } from "bullmq";
import { withTimeout } from "../async/with-timeout.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Log } from "../observe/log.ts";
import { failFastConnection, type RedisAddress } from "./connection.ts";

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
  /** Jobs that wait for a consumer; null: Redis does not answer. */
  countWaiting(name: QueueName): Promise<number | null>;
  close(): Promise<void>;
}

export function openQueues(address: RedisAddress, log: Log): Queues {
  const redis = failFastConnection(address);
  const queues = new Map<QueueName, Promise<Queue>>();
  const queueOf = (name: QueueName) => {
    // BullMQ is large, and webhooks are kept while it still loads.
    const queue = queues.get(name) ?? import("./bullmq.ts").then(({ openBullQueue }) => openBullQueue(redis, name));
    queues.set(name, queue);
    return queue;
  };
  return {
    async add(name, data, options = {}) {
      try {
        await withTimeout(
          ADD_DEADLINE,
          queueOf(name).then((queue) => queue.add(name, data, jobOptions(name, data, options.delay ?? 0))),
          NO_ANSWER,
        );
        return true;
      } catch (error) {
        log.warn("Redis did not take a job; the sweep will queue it from the ledger", { queue: name, error });
        return false;
      }
    },
    async ping() {
      return withTimeout(ADD_DEADLINE, redis.ping(), NO_ANSWER).then(
        () => true,
        () => false,
      );
    },
    async countWaiting(name) {
      const counting = queueOf(name).then((queue) => queue.getWaitingCount());
      return withTimeout(ADD_DEADLINE, counting, NO_ANSWER).catch(() => null);
    },
    async close() {
      await Promise.allSettled([...queues.values()].map(async (queue) => (await queue).close()));
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
