import { TransientError, UserError } from "../../delivery/errors.ts";
import type { BuildLimits } from "../builder.ts";
import type { Failure } from "./build-log.ts";

/** The engine closed the connection, or nothing answers there. */
export function engineGone(cause?: unknown): TransientError {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new TransientError(
    "engine-gone",
    `The Docker Engine does not answer, or went away during the build${why}. It is tried again; check that dockerd runs and that deliverd may reach it.`,
    { cause },
  );
}

const lostConnection = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ETIMEDOUT",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** What the engine answered to a request that it refused; null: the error is none of its answers. */
export function engineAnswer(error: unknown): string | null {
  if (!(error instanceof Error) || !("statusCode" in error) || error.statusCode === undefined) return null;
  // docker-modem wraps the engine's words, and keeps them apart only where the answer was no stream.
  return error.message.replace(/^\(HTTP code \d+\) .*? - /, "").trim();
}

/** What a failed request to the engine means. Errors that came from elsewhere are given back as they are. */
export function readEngineError(error: unknown): unknown {
  const answer = engineAnswer(error);
  if (answer !== null)
    return (
      imageVanished(answer) ??
      new TransientError("engine-refused", `The Docker Engine refused a request: ${answer}`, { cause: error })
    );
  if (!(error instanceof Error) || error.name !== "Error") return error;
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  const isLost = lostConnection.has(code) || syscall === "connect";
  return isLost ? engineGone(error) : error;
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

const unreachable =
  /dial tcp|no such host|connection refused|i\/o timeout|TLS handshake|connection reset|unexpected EOF|x509:|HTTP response to HTTPS client|toomanyrequests|Too Many Requests|unexpected status[^:]*: 5\d\d|context deadline exceeded/i;

/** An image that BuildKit tried to fetch: bases were fetched before, so a `# syntax=` frontend, or an ADD from a URL. */
function isFetch(message: string): boolean {
  return (
    unreachable.test(message) ||
    /failed to do request|frontend gateway\.v0: (?!rpc error)|failed to resolve source metadata/.test(message)
  );
}

function fetchFailed(message: string, syntax: string | null): UserError | TransientError {
  const isFrontend = syntax !== null && message.includes("frontend gateway.v0");
  const explained = isFrontend
    ? `The Dockerfile's "# syntax=${syntax}" line makes the engine fetch that frontend image by itself, and it could not: ${tidy(message)}. ` +
      "Give the engine access to it, or remove the line if the Dockerfile needs nothing newer than the engine."
    : `The engine could not fetch what the build asks for: ${tidy(message)}`;
  if (unreachable.test(message))
    return new TransientError(isFrontend ? "frontend-unreachable" : "fetch-failed", explained);
  return new UserError(isFrontend ? "frontend-missing" : "fetch-refused", explained);
}

/** Whether an engine says that it could not reach a registry, rather than that the registry said no. */
export function isUnreachable(message: string): boolean {
  return unreachable.test(message);
}

/**
 * Two builds that come to the same image share it in the engine: the one that is done takes its name off, and with the
 * last name the image goes, even where the other is just naming it. Null: the message says something else.
 */
function imageVanished(message: string): TransientError | null {
  if (!/failed to get digest sha256:\S+ open .*no such file|No such image|does not exist locally/i.test(message))
    return null;
  return new TransientError("image-vanished", `The Docker Engine lost the image it had just built: ${tidy(message)}`);
}

/** Without the engine's inner chain of wrappers and the paths of its own folders. */
function tidy(message: string): string {
  return message
    .trim()
    .replace(
      /^((failed to (solve with frontend [\w.]+|solve|create LLB definition|compute cache key)|rpc error: code = Unknown desc =):? )+/,
      "",
    )
    .replace(/\/\S*\/(buildkit-mount|docker-builder)\d+\//g, "");
}

function shorten(step: string): string {
  return step.length > 200 ? `${step.slice(0, 200)}…` : step;
}
