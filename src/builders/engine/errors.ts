import { TransientError } from "../../delivery/errors.ts";

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
export function explainEngineError(error: unknown): unknown {
  const answer = engineAnswer(error);
  if (answer !== null)
    return (
      imageVanished(answer) ??
      new TransientError("engine-refused", `The Docker Engine refused a request: ${answer}`, {
        cause: error,
        tries: 20,
      })
    );
  if (!(error instanceof Error) || error.name !== "Error") return error;
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  const isLost = lostConnection.has(code) || syscall === "connect";
  return isLost ? engineGone(error) : error;
}

const unreachable =
  /dial tcp|no such host|connection refused|i\/o timeout|TLS handshake|connection reset|unexpected EOF|x509:|HTTP response to HTTPS client|toomanyrequests|Too Many Requests|unexpected status[^:]*: 5\d\d|context deadline exceeded/i;

/** Whether an engine says that it could not reach a registry, rather than that the registry said no. */
export function isUnreachable(message: string): boolean {
  return unreachable.test(message);
}

/**
 * Two builds that come to the same image share it in the engine: the one that is done takes its name off, and with the
 * last name the image goes, even where the other is just naming it. Null: the message says something else.
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
    `The Docker Engine lost the image it had just built: ${tidyEngineMessage(message)}`,
  );
}

/** Without the engine's inner chain of wrappers and the paths of its own folders. */
export function tidyEngineMessage(message: string): string {
  return message
    .trim()
    .replace(
      /^((failed to (solve with frontend [\w.]+|solve|create LLB definition|compute cache key)|rpc error: code = Unknown desc =):? )+/,
      "",
    )
    .replace(/\/\S*\/(buildkit-mount|docker-builder)\d+\//g, "");
}
