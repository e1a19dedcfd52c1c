import { setTimeout as delay } from "node:timers/promises";
import { type Jobs, jobKey, type QueueName, type Queues } from "./queues.ts";

export interface Enqueuer<N extends QueueName> {
  /** Returns at once; where nothing else waits, the job leaves for Redis before that. */
  add(job: Jobs[N]): void;
  /** Jobs that Redis has not been asked to take yet. */
  waiting(): number;
}

export interface EnqueuerOptions {
  /** Whether something more urgent is going on in this process: jobs then leave one by one, with a pause after each. */
  isBusy?: () => boolean;
  /** Jobs that may wait. */
  maxWaiting?: number;
}

/** ms between two jobs while others are more urgent: still 200 a second, more than are evaluated. */
const PAUSE = 5;

/**
 * Queues jobs that the ledger remembers, beside the way of whoever asks for them: in their order, one at a time, since each
 * costs this process and Redis as much as a webhook. Asked for again while it waits, a job stays one.
 *
 * It forgets rather than grows: past `most` waiting jobs it takes no more, and when Redis does not take one it drops them
 * all. The sweep (workers/sweep/sweep.ts, every 10 s) brings those from the ledger.
 */
export function createEnqueuer<N extends QueueName>(
  queues: Pick<Queues, "add">,
  name: N,
  { isBusy = () => false, maxWaiting = 10_000 }: EnqueuerOptions = {},
): Enqueuer<N> {
  const waiting = new Map<string, Jobs[N]>();
  let running = false;

  async function run(): Promise<void> {
    running = true;
    for (const [key, job] of waiting) {
      waiting.delete(key);
      if (!(await queues.add(name, job))) waiting.clear();
      if (isBusy()) await delay(PAUSE, undefined, { ref: false });
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
