import { TransientError, UserError } from "../../delivery/errors.ts";
import type { BuildLimits } from "../builder.ts";
import { engineGone, imageVanished, isUnreachable, tidyEngineMessage } from "./errors.ts";
import { cannotStart, isUsersMistake, runtimeFailure } from "./failure-patterns.ts";

/** How a build ended that did not come to its end. */
export interface BuildFailure {
  /** The engine's words. */
  message: string;
  /** The instruction, as in `RUN make`, or the command; null where the engine does not tell. */
  step: string | null;
  /** What the engine reports as the exit code of the step. */
  exitCode: number | null;
  /** The last lines that the step printed. */
  tail: string[];
}

/** An engine that failed in a way nobody foresaw is tried so often: about four minutes. */
const ENGINE_TRIES = 8;
/** What a build fetches by itself may be away for longer: about an hour. */
const FETCH_TRIES = 20;

/**
 * Says whose failure it is. The user's are two: the exit code of a command of theirs that ran, and a file of theirs that
 * the engine could not read. Everything else is the machinery's: it is tried again, and says so.
 */
export function explainFailure(
  failure: BuildFailure,
  syntax: string | null,
  limits: BuildLimits | null,
): UserError | TransientError {
  const { message, tail } = failure;
  if (isDiskFull(message)) return diskFull(message, null);
  if (failure.exitCode !== null) return readExit(failure, failure.exitCode, limits);
  if (/context canceled|code = (Unavailable|Canceled)|connection is closing/.test(message))
    return engineGone(new Error(tidyEngineMessage(message)));
  const vanished = imageVanished(message);
  if (vanished) return vanished;
  if (isUsersMistake(failure)) return usersFailure(`${named(failure)} failed: ${tidyEngineMessage(message)}`, tail);
  if (isFetch(message)) return fetchFailed(message, syntax);
  return engineFailed(`${named(failure)}: ${tidyEngineMessage(message)}`);
}

/** A step that the engine gives an exit code: its command's own, or that of a runtime which could not start it. */
function readExit(failure: BuildFailure, exitCode: number, limits: BuildLimits | null): UserError | TransientError {
  const runtime = runtimeFailure(failure.tail);
  if (runtime !== null) {
    if (cannotStart(runtime)) return usersFailure(`${named(failure)} could not be started`, failure.tail);
    return engineFailed(`${named(failure)} was not started: ${tidyEngineMessage(runtime)}`);
  }
  const isFull = failure.tail.find(isDiskFull);
  // The command may mean another disk than the engine's, or a limit on watched files: so it is not tried for ever.
  if (isFull !== undefined) return diskFull(isFull, ENGINE_TRIES);
  const memory = limits?.memoryBytes
    ? `over its limit of ${Math.round(limits.memoryBytes / 2 ** 20)} MiB`
    : "too little";
  const killed = exitCode === 137 ? `: it was killed, most likely for memory (${memory})` : "";
  return usersFailure(`${named(failure)} failed with exit code ${exitCode}${killed}`, failure.tail);
}

function usersFailure(reason: string, tail: string[]): UserError {
  return new UserError("build-failed", [reason, ...tail].join("\n"));
}

/** The engine could not do its own part of a build. @param what the step and the engine's words */
export function engineFailed(what: string): TransientError {
  return new TransientError(
    "engine-failed",
    `The Docker Engine failed, not the build. ${what}. See the engine's own log if it goes on.`,
    { tries: ENGINE_TRIES },
  );
}

function isDiskFull(line: string): boolean {
  return /no space left on device|disk quota exceeded|ENOSPC/i.test(line);
}

function diskFull(line: string, tries: number | null): TransientError {
  return new TransientError(
    "disk-full",
    `The Docker Engine's disk is full: ${tidyEngineMessage(line)}. Free space there, for instance with "docker system prune".`,
    { tries },
  );
}

/** An image that BuildKit tried to fetch: bases were fetched before, so a `# syntax=` frontend, or an ADD from a URL. */
function isFetch(message: string): boolean {
  // The engine hands itself the context by an address of its own.
  if (/build-context-/.test(message)) return false;
  return (
    isUnreachable(message) ||
    /failed to do request|frontend gateway\.v0: (?!rpc error)|failed to resolve source metadata/.test(message)
  );
}

function fetchFailed(message: string, syntax: string | null): UserError | TransientError {
  const isFrontend = syntax !== null && (message.includes("frontend gateway.v0") || message.includes(`${syntax}: `));
  const explained = isFrontend
    ? `The Dockerfile's "# syntax=${syntax}" line makes the engine fetch that frontend image by itself, and it could not: ${tidyEngineMessage(message)}. ` +
      "Give the engine access to it, or remove the line if the Dockerfile needs nothing newer than the engine."
    : `The engine could not fetch what the build asks for: ${tidyEngineMessage(message)}`;
  if (isUnreachable(message))
    return new TransientError(isFrontend ? "frontend-unreachable" : "fetch-failed", explained, { tries: FETCH_TRIES });
  return new UserError(isFrontend ? "frontend-missing" : "fetch-refused", explained);
}

function named({ step }: BuildFailure): string {
  if (step === null) return "the build";
  return `build step '${step.length > 200 ? `${step.slice(0, 200)}…` : step}'`;
}
