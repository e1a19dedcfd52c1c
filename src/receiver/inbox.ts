import type { NewHint } from "../ledger/hints.ts";

/** A hint as the inbox is given it, with the repo by its id. */
export type StoredHint = NewHint;

/** Thrown by add: the ledger is so far behind that one more would only cost memory. */
export class InboxFull extends Error {}

export interface Inbox {
  /** Resolves when the hints are committed. @throws InboxFull, or whatever the commit failed with. */
  add(hints: StoredHint[]): Promise<void>;
  /** Hints taken and not yet committed. */
  pending(): number;
}

interface Entry {
  hints: StoredHint[];
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Group commit: requests that arrive together share one transaction, and while one runs the next gathers. So a burst
 * costs a few commits instead of one each.
 */
export function createInbox(commit: (hints: StoredHint[]) => Promise<unknown>, maxPending = 10_000): Inbox {
  let gathering: Entry[] = [];
  let pending = 0;
  let running = false;

  async function run(): Promise<void> {
    while (gathering.length > 0) {
      const batch = gathering;
      gathering = [];
      await commitBatch(batch);
    }
    running = false;
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

  return {
    pending: () => pending,
    add(hints) {
      if (pending + hints.length > maxPending)
        return Promise.reject(new InboxFull(`${pending} hints wait for the ledger`));
      pending += hints.length;
      return new Promise((resolve, reject) => {
        gathering.push({ hints, resolve, reject });
        if (running) return;
        running = true;
        setImmediate(() => void run());
      });
    },
  };
}
