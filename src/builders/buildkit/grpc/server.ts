import { type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { framed, messagesOf } from "./messages.ts";
import { GrpcError, Status, statusHeaders } from "./status.ts";

/** One call of a method. */
export interface ServerCall {
  /** With the metadata of the call. */
  headers: IncomingHttpHeaders;
  /** Can be read once. */
  requests: AsyncIterable<Buffer>;
  /** Resolves when the message may be followed by the next one. @throws if the caller is gone */
  send(message: Uint8Array): Promise<void>;
}

/** Answers a call. What it throws becomes the status of the call. */
export type Method = (call: ServerCall) => Promise<void>;

/** Methods by their paths, as in `/grpc.health.v1.Health/Check`. */
export type Methods = Readonly<Record<string, Method>>;

/** Serves methods over a connection that was opened in the other direction, until the connection ends. */
export function serveMethods(socket: Duplex, methods: Methods): void {
  const session = performServerHandshake(socket);
  // If the other side goes away, whoever waits for it notices.
  session.on("error", () => {});
  socket.on("error", () => {});
  session.on("stream", (stream, headers) => void answer(stream, headers, methods));
}

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, methods: Methods): Promise<void> {
  stream.on("error", () => {});
  const path = headers[":path"] ?? "";
  const method = Object.hasOwn(methods, path) ? methods[path] : undefined;
  const head = { ":status": 200, "content-type": "application/grpc" };
  if (method === undefined) {
    stream.respond({ ...head, ...statusHeaders(Status.unimplemented) }, { endStream: true });
    return;
  }
  let trailers = statusHeaders(Status.ok);
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.respond(head, { waitForTrailers: true });
  try {
    await method({
      headers,
      // An iterator that ends early must not end the other half of the stream.
      requests: messagesOf(stream.iterator({ destroyOnReturn: false })),
      send: (message) => send(stream, message),
    });
  } catch (error) {
    const { code, message } = error instanceof GrpcError ? error : { code: Status.internal, message: String(error) };
    trailers = statusHeaders(code, message);
  }
  if (!stream.destroyed) stream.end();
}

function send(stream: ServerHttp2Stream, message: Uint8Array): Promise<void> {
  if (stream.destroyed) return Promise.reject(new GrpcError(Status.cancelled, "the caller is gone"));
  return new Promise((resolve, reject) => {
    stream.write(framed(message), (error) => (error ? reject(error) : resolve()));
  });
}

/** A method with one request and one answer. */
export function unary(work: (request: Buffer) => Uint8Array | Promise<Uint8Array>): Method {
  return async ({ requests, send }) => {
    for await (const request of requests) return send(await work(request));
    throw new GrpcError(Status.internal, "a call without a request");
  };
}
