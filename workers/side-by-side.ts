import { setMaxListeners } from "node:events";
import { TransientError } from "../src/delivery/errors.ts";
import type { Run } from "../src/run.ts";

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
  const own = { ...run, signal: anyOf(run.signal, stop.signal) };
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
  throwWorst(failures);
  return results as T[];
}

/** A signal that any number of works may listen to. */
export function anyOf(...signals: AbortSignal[]): AbortSignal {
  const any = AbortSignal.any(signals);
  setMaxListeners(0, any);
  return any;
}

/** What will pass is tried again before what will not is shown: a destination that is down must not hide behind one that refuses. */
export function throwWorst(failures: unknown[]): void {
  const worst = failures.find((error) => error instanceof TransientError) ?? failures[0];
  if (worst !== undefined) throw worst;
}
