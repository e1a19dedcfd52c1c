import { setImmediate as nextTurn } from "node:timers/promises";
import type { NewHint } from "../ledger/hints.ts";

/** Thrown by add: the ledger is so far behind that one more would only cost memory, and its sender time. */
export class InboxFull extends Error {}

export interface Inbox {
  /** Resolves when the hints are committed. @throws InboxFull, or whatever the commit failed with. */
  add(hints: NewHint[]): Promise<void>;
  /** Hints taken and not yet committed. */
  pending(): number;
}

export interface InboxLimits {
  /** Hints that may wait for the ledger. */
  maxHints?: number;
  /** ms that the oldest may have waited when another is taken: a ledger that stands still for half of what GitHub waits has not much hope to give. */
  maxWaitMs?: number;
}

interface Entry {
  hints: NewHint[];
  since: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Group commit: requests that arrive together share one transaction, and while one runs the next gathers. So a burst
 * costs a few commits instead of one each.
 */
export function createInbox(
  commit: (hints: NewHint[]) => Promise<unknown>,
  { maxHints = 10_000, maxWaitMs = 5_000 }: InboxLimits = {},
): Inbox {
  let gathering: Entry[] = [];
  let committing: Entry[] = [];
  let pending = 0;
  let running = false;

  async function run(): Promise<void> {
    while (gathering.length > 0) {
      await gathered();
      committing = gathering;
      gathering = [];
      await commitBatch(committing);
      committing = [];
    }
    running = false;
  }

  /** As long as each turn of the event loop brings more, one more turn costs less than one more commit. */
  async function gathered(): Promise<void> {
    for (let before = 0; before < gathering.length; await nextTurn()) before = gathering.length;
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

  function demandRoom(more: number): void {
    const [first] = committing.length > 0 ? committing : gathering;
    const waited = first === undefined ? 0 : performance.now() - first.since;
    if (pending + more > maxHints || waited > maxWaitMs)
      throw new InboxFull(`${pending} hints wait for the ledger, the first for ${Math.round(waited)} ms`);
  }

  return {
    pending: () => pending,
    async add(hints) {
      demandRoom(hints.length);
      pending += hints.length;
      await new Promise<void>((resolve, reject) => {
        gathering.push({ hints, since: performance.now(), resolve, reject });
        if (running) return;
        running = true;
        void run();
      });
    },
  };
}
