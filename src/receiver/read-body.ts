import type { IncomingMessage } from "node:http";
import { Problem } from "./problem.ts";

/** Thrown where the client has gone before its body was whole: there is nobody to answer. */
export class Aborted extends Error {}

export interface BodyLimits {
  /** Bytes of one body. */
  maxBodyBytes: number;
  /** ms that a whole body may take. */
  bodyTimeoutMs: number;
}

/**
 * A small body is bounded by the number of connections; larger ones are few at a time, and together hold no more than one
 * of the largest and a little. Nobody has shown a signature yet, and each byte is copied three times until it is checked.
 */
const SMALL = 64 * 1024;
const MAX_LARGE = 8;
const ROOM = 7 * 1024 * 1024;

export type BodyReader = (request: IncomingMessage) => Promise<Buffer>;

/**
 * Reads raw bodies, since the raw bytes are what was signed.
 * @throws Problem 413 (too large, by its length or when it gets there), 408 (too slow), 503 (too many large ones); Aborted.
 */
export function createBodyReader({ maxBodyBytes, bodyTimeoutMs }: BodyLimits): BodyReader {
  let large = 0;
  let reserved = 0;
  return async (request) => {
    const tooLarge = () => new Problem(413, `The body is larger than ${maxBodyBytes} bytes.`);
    const announced = Number(request.headers["content-length"] ?? 0);
    if (announced > maxBodyBytes) throw tooLarge();
    let own = 0;
    const admit = (size: number) => {
      if (size > maxBodyBytes) throw tooLarge();
      if (own > 0 || size <= SMALL) return;
      // Room for the whole is taken at once: bodies refused half-way would leave garbage faster than it is collected.
      const whole = announced > 0 ? announced : maxBodyBytes;
      if (large >= MAX_LARGE || reserved + whole > maxBodyBytes + ROOM)
        throw new Problem(503, "Too many large requests at a time.", { "retry-after": "5" });
      own = whole;
      large += 1;
      reserved += own;
    };
    try {
      admit(announced);
      return await collect(request, bodyTimeoutMs, admit);
    } finally {
      if (own > 0) large -= 1;
      reserved -= own;
    }
  };
}

function collect(request: IncomingMessage, slowBody: number, admit: (size: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new Gathered(Number(request.headers["content-length"] ?? 0));
    const timer = setTimeout(
      () => settle(() => reject(new Problem(408, `The body was not whole after ${slowBody} ms.`))),
      slowBody,
    );
    const onData = (chunk: Buffer) => {
      try {
        admit(body.size + chunk.length);
        body.add(chunk);
      } catch (error) {
        settle(() => reject(error));
      }
    };
    const onEnd = () => settle(() => resolve(body.bytes()));
    const onGone = () => settle(() => reject(new Aborted()));
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onGone);
      finish();
    };
    request.on("data", onData).on("end", onEnd).on("close", onGone).on("error", onGone);
  });
}

/** Bytes that come in pieces, in one buffer that grows: joined at the end, each would be there twice. */
class Gathered {
  size = 0;
  #buffer: Buffer = Buffer.alloc(0);
  readonly #announced: number;

  /** @param announced bytes that the sender says will come; taken at its word only once more than a little has */
  constructor(announced: number) {
    this.#announced = announced;
  }

  add(chunk: Buffer): void {
    // Most bodies come whole, in one piece: that one is then all there is.
    if (chunk.length === this.#announced) {
      this.#buffer = chunk;
      this.size = chunk.length;
      return;
    }
    const size = this.size + chunk.length;
    if (size > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(
        size <= SMALL ? size : size <= this.#announced ? this.#announced : 2 * size,
      );
      this.#buffer.copy(larger, 0, 0, this.size);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.size);
    this.size = size;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.size);
  }
}

const MAX_DISCARDED = 1024 * 1024;

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
    // Read on, a flood would leave garbage faster than it is collected.
    if (left < 0) request.pause();
  });
  request.once("close", () => clearTimeout(timer));
  request.once("end", () => clearTimeout(timer));
  request.resume();
}
