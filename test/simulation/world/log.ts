import { ConfigError, Refused, TransientError, UserError } from "../../../src/delivery/errors.ts";
import type { Log, LogFields } from "../../../src/observe/log.ts";

/** A process's log: keeps nothing, but hands on every error that deliverd did not foresee. */
export function simLog(onBug: (message: string, error: Error) => void): Log {
  const note = (message: string, facts?: LogFields) => {
    const error = facts?.error;
    if (error instanceof Error && isUnforeseen(error)) onBug(message, error);
  };
  const log: Log = { debug: note, info: note, warn: note, error: note, with: () => log };
  return log;
}

const NAMES = new Set(["LeaseLost", "Cancelled", "ShuttingDown", "NoLongerGreen", "MadeRoom"]);

function isUnforeseen(error: Error): boolean {
  const isForeseen = [TransientError, Refused, UserError, ConfigError].some((kind) => error instanceof kind);
  return !isForeseen && error.name !== "TimeoutError" && !NAMES.has(error.constructor.name);
}
