import { setTimeout as delay } from "node:timers/promises";
import { type Jobs, jobKey, type QueueName, type Queues } from "./queues.ts";

export interface Enqueuer<N extends QueueName> {
  /** Returns at once. If no other job waits, this one is sent to Redis immediately. */
  add(job: Jobs[N]): void;
  /** How many jobs are not sent to Redis yet. */
  waiting(): number;
}

export interface EnqueuerOptions {
  /** Whether this process has more urgent work. Then there is a pause after each job. */
  isBusy?: () => boolean;
  /** How many jobs may wait; 10,000 if left out. */
  maxWaiting?: number;
  /** ms between two jobs while the process is busy. 5 if left out: still 200 jobs a second, more than can be evaluated. */
  pauseMs?: number;
}

/**
 * Queues jobs in the background, so that callers do not wait for Redis: in order and one at a time, because each costs
 * this process and Redis as much as a webhook. A job that waits already is not added again.
 *
 * Jobs may be dropped, because the ledger remembers them and the sweep (workers/sweep/sweep.ts, every 10 s) queues
 * them: a new one if `maxWaiting` jobs wait, and all waiting ones if Redis does not accept a job.
 */
export function createEnqueuer<N extends QueueName>(
  queues: Pick<Queues, "add">,
  name: N,
  { isBusy = () => false, maxWaiting = 10_000, pauseMs = 5 }: EnqueuerOptions = {},
): Enqueuer<N> {
  const waiting = new Map<string, Jobs[N]>();
  let running = false;

  async function run(): Promise<void> {
    running = true;
    for (const [key, job] of waiting) {
      waiting.delete(key);
      if (!(await queues.add(name, job))) waiting.clear();
      if (isBusy()) await delay(pauseMs, undefined, { ref: false });
    }
    running = false;
  }

  return {
    waiting: () => waiting.size,
    add(job) {
      const key = jobKey(job);
      if (waiting.size >= maxWaiting || waiting.has(key)) return;
      waiting.set(key, job);
      if (!running) void run();
    },
  };
}
