import { UserError } from "../../delivery/errors.ts";
import type { Run } from "../../run/run.ts";
import { explainEngineError } from "./errors.ts";

/** Ms that a build which was stopped has to clear up after itself. */
const patience = 10_000;

/**
 * A build under its limit of time, with errors as a person understands them.
 * @param time ms; 0: no limit
 * @throws UserError `build-timeout`, the run's reason to abort, what the work throws
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

/** An engine that hangs answers nothing at all, not even to be told that nobody waits for it any more. */
async function orGiveUp<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let giveUp = () => {};
  const given = new Promise<never>((_, reject) => {
    giveUp = () => {
      timer = setTimeout(() => reject(signal.reason), patience);
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
