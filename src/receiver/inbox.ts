import { setImmediate as nextTurn } from "node:timers/promises";
import type { NewHint } from "../ledger/hints.ts";

/** Thrown by `add` if the ledger is so far behind that another hint would only take memory and its sender's time. */
export class InboxFull extends Error {}

export interface Inbox {
  /** Resolves when the hints are committed. @throws InboxFull, or the error of the commit */
  add(hints: NewHint[]): Promise<void>;
  /** How many hints are not committed yet. */
  pending(): number;
}

export interface InboxLimits {
  /** How many hints may wait for the ledger. */
  maxHints?: number;
  /**
   * New hints are refused if the oldest has waited for longer. The default of 5 s is half of GitHub's time-out: a
   * ledger that is blocked for so long will probably not commit in time.
   */
  maxWaitMs?: number;
}

interface Entry {
  hints: NewHint[];
  since: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Group commit: hints that arrive together share one transaction, and new ones are collected while it runs. So a burst
 * needs a few commits instead of one for each request.
 */
export function createInbox(
  commit: (hints: NewHint[]) => Promise<unknown>,
  { maxHints = 10_000, maxWaitMs = 5_000 }: InboxLimits = {},
): Inbox {
  let waiting: Entry[] = [];
  let committing: Entry[] = [];
  let pending = 0;
  let running = false;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      await collectMore();
      committing = waiting;
      waiting = [];
      await commitBatch(committing);
      committing = [];
    }
    running = false;
  }

  /** Waits as long as each turn of the event loop brings more hints: a turn is cheaper than another commit. */
  async function collectMore(): Promise<void> {
    for (let before = 0; before < waiting.length; await nextTurn()) before = waiting.length;
  }

  async function commitBatch(batch: Entry[]): Promise<void> {
    const hints = batch.flatMap((entry) => entry.hints);
    try {
      await commit(hints);
      for (const entry of batch) entry.resolve();
    } catch (error) {
      for (const entry of batch) entry.reject(error);
    } finally {
      pending -= hints.length;
    }
  }

  function requireRoom(more: number): void {
    const [first] = committing.length > 0 ? committing : waiting;
    const waited = first === undefined ? 0 : performance.now() - first.since;
    if (pending + more > maxHints || waited > maxWaitMs)
      throw new InboxFull(`${pending} hints wait for the ledger, the first for ${Math.round(waited)} ms`);
  }

  return {
    pending: () => pending,
    async add(hints) {
      requireRoom(hints.length);
      pending += hints.length;
      await new Promise<void>((resolve, reject) => {
        waiting.push({ hints, since: performance.now(), resolve, reject });
        if (running) return;
        running = true;
        void run();
      });
    },
  };
}
