import { anySignal } from "../../src/async/any-signal.ts";
import { TransientError, throwPreferringTransient } from "../../src/delivery/errors.ts";
import type { Run } from "../../src/run/run.ts";

/** Work that has begun. `end` settles when it ends. */
export interface Begun<T> {
  end: Promise<T>;
}

/**
 * Begins the work on each item when the work on the item before has begun, and waits for all of it. A permanent failure
 * aborts the others, since the whole has failed; after a transient failure the others go on.
 * @returns the results in the order of the items
 */
export async function sideBySide<Item, T>(
  items: readonly Item[],
  run: Run,
  begin: (item: Item, run: Run) => Promise<Begun<T>>,
): Promise<T[]> {
  const stop = new AbortController();
  const own = { ...run, signal: anySignal(run.signal, stop.signal) };
  const failures: unknown[] = [];
  const fail = (error: unknown): undefined => {
    // Failures that the abort itself causes say nothing.
    if (!stop.signal.aborted) failures.push(error);
    if (!(error instanceof TransientError)) stop.abort(error);
  };
  const ends: Promise<T | undefined>[] = [];
  for (const item of items) {
    if (own.signal.aborted || failures.length > 0) break;
    try {
      const { end } = await begin(item, own);
      ends.push(end.catch(fail));
    } catch (error) {
      fail(error);
    }
  }
  const results = await Promise.all(ends);
  run.signal.throwIfAborted();
  throwPreferringTransient(failures);
  return results as T[];
}
