import { TransientError } from "../../delivery/errors.ts";

/** The engine closed the connection, or does not answer. */
export function engineGone(cause?: unknown): TransientError {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new TransientError(
    "engine-gone",
    `The engine does not answer, or it stopped during the build${why}. ` +
      "Check that it runs and that deliverd may reach it.",
    { cause },
  );
}

const LOST_CONNECTION = new Set([
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

/** The engine's message about a request that it refused. Null: the error is no answer of the engine. */
export function engineAnswer(error: unknown): string | null {
  if (!(error instanceof Error) || !("statusCode" in error) || error.statusCode === undefined) return null;
  // docker-modem wraps the engine's message.
  return error.message.replace(/^\(HTTP code \d+\) .*? - /, "").trim();
}

/** Turns a failed request to the engine into an error with a code. Other errors are returned unchanged. */
export function explainEngineError(error: unknown): unknown {
  const answer = engineAnswer(error);
  if (answer !== null)
    return (
      imageVanished(answer) ??
      new TransientError("engine-refused", `The engine refused a request: ${answer}`, {
        cause: error,
        tries: 20,
      })
    );
  if (!(error instanceof Error) || error.name !== "Error") return error;
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  const isLost = LOST_CONNECTION.has(code) || syscall === "connect";
  return isLost ? engineGone(error) : error;
}

const UNREACHABLE =
  /dial tcp|no such host|connection refused|i\/o timeout|TLS handshake|connection reset|unexpected EOF|x509:|HTTP response to HTTPS client|toomanyrequests|Too Many Requests|unexpected status[^:]*: 5\d\d|context deadline exceeded/i;

/** Whether the engine could not reach a registry. The opposite is a registry that refused. */
export function isUnreachable(message: string): boolean {
  return UNREACHABLE.test(message);
}

/**
 * Two builds with the same result share one image in the engine. When one build removes the last name, the image goes,
 * even if the other build is just naming it. Null: the message says something else.
 */
export function imageVanished(message: string): TransientError | null {
  if (
    !/failed to get digest sha256:\S+ open .*no such file|No such image|does not exist locally|unable to find image "?sha256:|(?:parent )?snapshot \S+ does not exist/i.test(
      message,
    )
  )
    return null;
  return new TransientError(
    "image-vanished",
    `The engine lost the image it had just built: ${tidyEngineMessage(message)}`,
  );
}

/** Removes the engine's chain of prefixes and the paths of its own folders from a message. */
export function tidyEngineMessage(message: string): string {
  return message
    .trim()
    .replace(
      /^((failed to (solve with frontend [\w.]+|solve|create LLB definition|compute cache key)|rpc error: code = Unknown desc =):? )+/,
      "",
    )
    .replace(/\/\S*\/(buildkit-mount|docker-builder)\d+\//g, "");
}
