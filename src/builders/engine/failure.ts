import { TransientError, UserError } from "../../delivery/errors.ts";
import type { BuildLimits } from "../builder.ts";
import { engineGone, imageVanished, isUnreachable, tidy } from "./errors.ts";

/** How a build ended that did not come to its end. */
export interface Failure {
  /** The engine's words. */
  message: string;
  /** The instruction, as in `RUN make`, or the command; null where the engine does not tell. */
  step: string | null;
  exitCode: number | null;
  /** The last lines that the step printed. */
  tail: string[];
}

/** Sorts a build that the engine gave up into the user's own failures and those of the machinery. */
export function readFailure(
  failure: Failure,
  syntax: string | null,
  limits: BuildLimits | null,
): UserError | TransientError {
  const { message, tail } = failure;
  const isFull = [message, ...tail].find((line) => /no space left on device|disk quota exceeded|ENOSPC/i.test(line));
  if (isFull) {
    return new TransientError(
      "disk-full",
      `The Docker Engine's disk is full: ${tidy(isFull)}. Free space there, for instance with "docker system prune".`,
    );
  }
  if (failure.exitCode === null && /context canceled|code = (Unavailable|Canceled)|connection is closing/.test(message))
    return engineGone(new Error(tidy(message)));
  const vanished = failure.exitCode === null ? imageVanished(message) : null;
  if (vanished) return vanished;
  if (failure.exitCode === null && isFetch(message)) return fetchFailed(message, syntax);
  return new UserError("build-failed", [reason(failure, limits), ...tail].join("\n"));
}

function reason({ message, step, exitCode }: Failure, limits: BuildLimits | null): string {
  const what = step === null ? "the build" : `build step '${shorten(step)}'`;
  if (exitCode === null) return `${what} failed: ${tidy(message)}`;
  const memory = limits?.memoryBytes
    ? `over its limit of ${Math.round(limits.memoryBytes / 2 ** 20)} MiB`
    : "too little";
  const killed = exitCode === 137 ? `: it was killed, most likely for memory (${memory})` : "";
  return `${what} failed with exit code ${exitCode}${killed}`;
}

/** An image that BuildKit tried to fetch: bases were fetched before, so a `# syntax=` frontend, or an ADD from a URL. */
function isFetch(message: string): boolean {
  return (
    isUnreachable(message) ||
    /failed to do request|frontend gateway\.v0: (?!rpc error)|failed to resolve source metadata/.test(message)
  );
}

function fetchFailed(message: string, syntax: string | null): UserError | TransientError {
  const isFrontend = syntax !== null && message.includes("frontend gateway.v0");
  const explained = isFrontend
    ? `The Dockerfile's "# syntax=${syntax}" line makes the engine fetch that frontend image by itself, and it could not: ${tidy(message)}. ` +
      "Give the engine access to it, or remove the line if the Dockerfile needs nothing newer than the engine."
    : `The engine could not fetch what the build asks for: ${tidy(message)}`;
  if (isUnreachable(message))
    return new TransientError(isFrontend ? "frontend-unreachable" : "fetch-failed", explained);
  return new UserError(isFrontend ? "frontend-missing" : "fetch-refused", explained);
}

function shorten(step: string): string {
  return step.length > 200 ? `${step.slice(0, 200)}…` : step;
}
