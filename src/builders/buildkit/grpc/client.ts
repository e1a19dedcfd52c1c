import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Duplex } from "node:stream";
import { framed, messagesOf } from "./messages.ts";
import { GrpcError, readStatus, Status } from "./status.ts";

/** Metadata of a call. Names are lower-case. */
export type Metadata = Record<string, string | string[]>;

/** The limit of BuildKit's own client: a message may hold the output of many steps. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** An error of BuildKit may quote the Dockerfile. Node reads no more than about this much. */
const MAX_HEADER_BYTES = 128 * 1024;

/** Calls methods over one connection. */
export class GrpcClient {
  /** Resolves when the connection has ended, whoever ended it. */
  readonly gone: Promise<void>;
  readonly #session: ClientHttp2Session;
  #lost: Error | null = null;

  constructor(socket: Duplex) {
    this.#session = connect("http://buildkit", {
      createConnection: () => socket,
      settings: { maxHeaderListSize: MAX_HEADER_BYTES },
    });
    this.gone = new Promise((resolve) => this.#session.once("close", resolve));
    // Each call reports the loss of the connection by itself.
    this.#session.on("error", (error) => {
      this.#lost = error;
    });
  }

  /** A call with one request and one answer. @throws GrpcError, or the signal's reason */
  async call(path: string, message: Uint8Array, signal?: AbortSignal): Promise<Buffer> {
    let answer: Buffer | null = null;
    for await (const each of this.stream(path, message, signal)) answer ??= each;
    if (answer === null) throw new GrpcError(Status.internal, `${path} gave no answer`);
    return answer;
  }

  /**
   * A call with one request and many answers. If the signal is aborted or the reader stops, the other side is told to
   * cancel its work.
   * @throws GrpcError, or the signal's reason
   */
  async *stream(path: string, message: Uint8Array, signal?: AbortSignal): AsyncGenerator<Buffer> {
    signal?.throwIfAborted();
    const { stream, ended } = this.#begin(path, {});
    const cancel = () => stream.close(constants.NGHTTP2_CANCEL);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      stream.end(framed(message));
      yield* messagesOf(stream, MAX_ANSWER_BYTES);
      const { code, message: text } = await ended;
      if (code !== Status.ok) throw new GrpcError(code, text);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof GrpcError) throw error;
      // The loss of a connection reaches its calls first.
      await new Promise(setImmediate);
      throw this.#unavailable(error, stream);
    } finally {
      signal?.removeEventListener("abort", cancel);
      if (!stream.closed) cancel();
    }
  }

  /** A call in which both sides send bytes as they like: both directions of the stream carry gRPC messages. */
  open(path: string, metadata: Metadata): ClientHttp2Stream {
    const { stream, ended } = this.#begin(path, metadata);
    ended.catch(() => {});
    return stream;
  }

  close(): void {
    this.#session.destroy();
  }

  #begin(path: string, metadata: Metadata): { stream: ClientHttp2Stream; ended: ReturnType<typeof endOf> } {
    try {
      const stream = this.#session.request({
        ...metadata,
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const ended = endOf(stream);
      // A reader that fails earlier does not wait for it.
      ended.catch(() => {});
      return { stream, ended };
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  #unavailable(error: unknown, stream?: ClientHttp2Stream): GrpcError {
    // A lost connection gives its calls the same code.
    if (!this.#session.destroyed && stream?.rstCode === constants.NGHTTP2_INTERNAL_ERROR)
      return new GrpcError(Status.internal, "the other side could not send its answer", { cause: error });
    const cause = this.#lost ?? error;
    return new GrpcError(Status.unavailable, cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** How a call ended, as headers or trailers say. */
function endOf(stream: ClientHttp2Stream): Promise<{ code: number; message: string }> {
  return new Promise((resolve, reject) => {
    let httpStatus = 0;
    const hear = (headers: NodeJS.Dict<string | string[]>) => {
      const status = readStatus(headers);
      if (status !== null) resolve(status);
    };
    stream.on("response", (headers) => {
      httpStatus = headers[":status"] ?? 0;
      hear(headers);
    });
    stream.on("trailers", hear);
    stream.on("error", reject);
    stream.on("close", () => {
      const what = [0, 200].includes(httpStatus) ? "the connection was closed" : `HTTP status ${httpStatus}`;
      reject(new GrpcError(Status.unavailable, what));
    });
  });
}
