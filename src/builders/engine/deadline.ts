import { UserError } from "../../delivery/errors.ts";
import type { Run } from "../../run/run.ts";
import { explainEngineError } from "./errors.ts";

/** A stopped build has this long to clean up. */
const CLEAN_UP_TIMEOUT_MS = 10_000;

/**
 * Runs a build with a time limit, and explains errors of the engine.
 * @param time ms. 0: no limit
 * @throws UserError `build-timeout`, the reason why the run was aborted, what the work throws
 */
export async function withDeadline<T>(time: number, run: Run, work: (run: Run) => Promise<T>): Promise<T> {
  const deadline = time > 0 ? AbortSignal.timeout(time) : null;
  const signal = deadline ? AbortSignal.any([run.signal, deadline]) : run.signal;
  try {
    signal.throwIfAborted();
    return await orGiveUp(work({ ...run, signal }), signal);
  } catch (error) {
    run.signal.throwIfAborted();
    if (deadline?.aborted) throw overTime(time);
    throw explainEngineError(error);
  }
}

/** An engine that hangs does not even answer when a request is aborted. */
async function orGiveUp<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let giveUp = () => {};
  const given = new Promise<never>((_, reject) => {
    giveUp = () => {
      timer = setTimeout(() => reject(signal.reason), CLEAN_UP_TIMEOUT_MS);
    };
    signal.addEventListener("abort", giveUp, { once: true });
  });
  try {
    return await Promise.race([work, given]);
  } finally {
    signal.removeEventListener("abort", giveUp);
    clearTimeout(timer);
  }
}

function overTime(limit: number): UserError {
  const minutes = limit / 60_000;
  const shown = minutes >= 1 ? `${Math.round(minutes)} min` : `${limit / 1000} s`;
  return new UserError("build-timeout", `The build took longer than its limit of ${shown} and was stopped.`);
}
