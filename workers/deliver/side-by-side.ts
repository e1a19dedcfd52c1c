import { anySignal } from "../../src/async/any-signal.ts";
import { TransientError, throwPreferringTransient } from "../../src/delivery/errors.ts";
import type { Run } from "../../src/run/run.ts";

/** Work that goes on: its end is waited for later. */
export interface Begun<T> {
  end: Promise<T>;
}

/**
 * Begins the work on each item once that on the one before has begun, and waits for all of it: nothing outlives the call.
 * What fails for good ends the others, since nothing comes of them; where something else may pass, the others go on.
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
    // What the end of the others brings about tells nothing.
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
