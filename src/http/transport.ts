import http, { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { brotliDecompress, unzip } from "node:zlib";

/** One HTTP request, as it goes over the wire. */
export interface Order {
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "MKCOL";
  url: URL;
  headers: OutgoingHttpHeaders;
  body?: Body | undefined;
  signal: AbortSignal;
}

export interface Body {
  /** Bytes. */
  length: number;
  /** The same bytes at every call: an attempt may have to be made again. */
  open(): Readable;
}

export interface Answer {
  /** What was asked, redirects followed: an address in the answer is relative to this one. */
  asked: Pick<Order, "url" | "headers">;
  status: number;
  headers: IncomingHttpHeaders;
  stream: IncomingMessage;
}

export type Send = (order: Order) => Promise<Answer>;

/** To one host, at a time. */
export const CONNECTIONS = 8;

/**
 * Opens a pool of connections.
 * @param options.ca PEM of a certificate authority to trust instead of the usual ones
 * @param options.stall ms without a byte in either direction that end a request
 */
export function openTransport(options: { ca?: string | undefined; stall: number }): Send {
  const agents = {
    plain: new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS }),
    secure: new https.Agent({
      keepAlive: true,
      maxSockets: CONNECTIONS,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    }),
  };
  return async (order) => {
    // The other side may close an idle connection at the very moment we use it again: that says nothing about the request.
    for (let stale = 0; stale < CONNECTIONS; stale++) {
      try {
        return await attempt(order, agents, options.stall);
      } catch (error) {
        if (!(error instanceof StaleConnection)) throw error;
      }
    }
    return attempt(order, agents, options.stall);
  };
}

class StaleConnection extends Error {}

function attempt(
  { method, url, headers, body, signal }: Order,
  agents: { plain: http.Agent; secure: https.Agent },
  stall: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method, signal, headers: body ? { ...headers, "Content-Length": body.length } : headers };
    const request =
      url.protocol === "https:"
        ? https.request(url, { ...options, agent: agents.secure })
        : http.request(url, { ...options, agent: agents.plain });
    const source = body?.open();
    request.setTimeout(stall, () =>
      request.destroy(
        Object.assign(new Error(`no byte moved for ${Math.round(stall / 1000)} s`), { code: "ETIMEDOUT" }),
      ),
    );
    request.once("error", (error: NodeJS.ErrnoException) => {
      source?.destroy();
      // With a body it may have been the request itself, half taken: then its sender must look first what became of it.
      const isStale = !body && request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      reject(isStale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    request.once("response", (stream) => {
      if (source && !request.writableFinished) {
        // Refused before all was sent: the rest would only delay the answer, and the connection cannot be used again.
        source.unpipe(request);
        source.destroy();
        stream.once("close", () => request.destroy());
      }
      resolve({ asked: { url, headers }, status: stream.statusCode ?? 0, headers: stream.headers, stream });
    });
    if (!source) {
      request.end();
      return;
    }
    source.once("error", (error) => request.destroy(error));
    source.pipe(request);
  });
}

/**
 * The whole body, unpacked: caches and storages pack what nobody asked them to.
 * @throws where it breaks off, or is larger than `maxBytes`
 */
export async function readBytes(
  { stream, headers }: Pick<Answer, "stream" | "headers">,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const unpack = UNPACK.get((headers["content-encoding"] ?? "").trim().toLowerCase());
  const bytes = Buffer.concat(chunks);
  return unpack === undefined || size === 0 ? bytes : unpack(bytes, { maxOutputLength: maxBytes });
}

/** RFC 9110, 8.4.1. `unzip` tells gzip and deflate apart by itself. */
const UNPACK = new Map([
  ["gzip", promisify(unzip)],
  ["x-gzip", promisify(unzip)],
  ["deflate", promisify(unzip)],
  ["br", promisify(brotliDecompress)],
]);

/** Reads what nobody wants, so that the connection can be used again. */
export function discard({ stream }: Pick<Answer, "stream">): void {
  stream.on("error", () => {}).resume();
}

/** A body that is small enough to be at hand. */
export function bodyOf(content: string | Buffer): Body {
  const bytes = Buffer.from(content);
  return { length: bytes.length, open: () => Readable.from(bytes.length === 0 ? [] : [bytes]) };
}
