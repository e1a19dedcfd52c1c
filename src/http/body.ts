import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { brotliDecompress, unzip } from "node:zlib";

/** The body of a request. */
export interface Body {
  /** Bytes. */
  length: number;
  /** A new stream of the same bytes at every call: a request may have to be sent again. */
  open(): Readable;
}

/** What reading a response needs. */
export interface ResponseBody {
  headers: IncomingHttpHeaders;
  stream: Readable;
}

/**
 * The largest lists that servers send (refs, packages) are read up to this size, in bytes. Larger ones are broken or
 * hostile.
 */
export const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** A body from bytes in memory. */
export function bodyOf(content: string | Buffer): Body {
  const bytes = Buffer.from(content);
  return { length: bytes.length, open: () => Readable.from(bytes.length === 0 ? [] : [bytes]) };
}

/**
 * Reads the whole body of a response and decompresses it: caches and storages compress even if no request asked for it.
 * @param maxBytes limit before and after decompression
 * @throws Error if the body is larger or breaks off; the abort reason of the request
 */
export async function readBytes({ stream, headers }: ResponseBody, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the response is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const decompress = DECOMPRESS.get((headers["content-encoding"] ?? "").trim().toLowerCase());
  const bytes = Buffer.concat(chunks);
  return decompress === undefined || size === 0 ? bytes : decompress(bytes, { maxOutputLength: maxBytes });
}

/** Content codings of RFC 9110, 8.4.1. `unzip` detects gzip and deflate by itself. */
const DECOMPRESS = new Map([
  ["gzip", promisify(unzip)],
  ["x-gzip", promisify(unzip)],
  ["deflate", promisify(unzip)],
  ["br", promisify(brotliDecompress)],
]);

/** Reads the rest of a response and drops it, so that its connection can be used again. */
export function discard({ stream }: Pick<ResponseBody, "stream">): void {
  stream.on("error", () => {}).resume();
}
