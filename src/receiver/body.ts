import type { IncomingMessage } from "node:http";
import { Problem } from "./problem.ts";

/** Thrown where the client has gone before its body was whole: there is nobody to answer. */
export class Aborted extends Error {}

export interface BodyLimits {
  /** Bytes of one body. */
  maxBody: number;
  /** ms that a whole body may take. */
  slowBody: number;
}

/** A small body is bounded by the number of connections; larger ones are few at a time, so that memory is bounded too. */
const SMALL = 256 * 1024;
const MAX_LARGE = 8;

export type BodyReader = (request: IncomingMessage) => Promise<Buffer>;

/**
 * Reads raw bodies, since the raw bytes are what was signed.
 * @throws Problem 413 (too large, by its length or when it gets there), 408 (too slow), 503 (too many large ones); Aborted.
 */
export function bodyReader({ maxBody, slowBody }: BodyLimits): BodyReader {
  let large = 0;
  return async (request) => {
    const tooLarge = () => new Problem(413, `The body is larger than ${maxBody} bytes.`);
    if (Number(request.headers["content-length"] ?? 0) > maxBody) throw tooLarge();
    let isLarge = false;
    try {
      return await collect(request, slowBody, (size) => {
        if (size > maxBody) throw tooLarge();
        if (isLarge || size <= SMALL) return;
        if (large >= MAX_LARGE) throw new Problem(503, "Too many large requests at a time.", { "retry-after": "5" });
        isLarge = true;
        large += 1;
      });
    } finally {
      if (isLarge) large -= 1;
    }
  };
}

function collect(request: IncomingMessage, slowBody: number, admit: (size: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(
      () => settle(() => reject(new Problem(408, `The body was not whole after ${slowBody} ms.`))),
      slowBody,
    );
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      try {
        admit(size);
      } catch (error) {
        settle(() => reject(error));
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks, size)));
    const onGone = () => settle(() => reject(new Aborted()));
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onGone);
      finish();
    };
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
  });
}

const MAX_DISCARDED = 32 * 1024 * 1024;

/**
 * Lets a refused client finish or notice, within bounds: a connection that is closed under a client that still sends
 * makes most of them miss the answer.
 */
export function discardRest(request: IncomingMessage, within: number): void {
  if (request.complete || request.destroyed) return;
  let left = MAX_DISCARDED;
  const timer = setTimeout(() => request.destroy(), within);
  request.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.destroy();
  });
  request.once("close", () => clearTimeout(timer));
  request.once("end", () => clearTimeout(timer));
  request.resume();
}
