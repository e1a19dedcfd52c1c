import type { IncomingMessage } from "node:http";
import { Problem } from "./problem.ts";

/** Thrown if the client closes the connection before its body is complete: nobody is left to answer. */
export class Aborted extends Error {}

export interface BodyLimits {
  /** The largest body. */
  maxBodyBytes: number;
  /** The longest time for a whole body. */
  bodyTimeoutMs: number;
}

/**
 * Signatures are not checked yet, and each byte is copied three times until they are, so memory must have a limit.
 * Small bodies are limited by the number of connections. Larger ones are limited in number, and together to the size of
 * one body of the maximum size plus `LARGE_EXTRA_BYTES`.
 */
const SMALL_BODY_BYTES = 64 * 1024;
const MAX_LARGE_BODIES = 8;
const LARGE_EXTRA_BYTES = 7 * 1024 * 1024;

export type BodyReader = (request: IncomingMessage) => Promise<Buffer>;

/**
 * Creates a reader of raw bodies: signatures are computed from the raw bytes.
 * @throws (the reader) Problem 413 if the body is too large, 408 if it is too slow, 503 if there are too many large
 * bodies; Aborted
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
      if (own > 0 || size <= SMALL_BODY_BYTES) return;
      // Reserve the whole size at once: bodies refused half-way would create garbage faster than it is collected.
      const whole = announced > 0 ? announced : maxBodyBytes;
      if (large >= MAX_LARGE_BODIES || reserved + whole > maxBodyBytes + LARGE_EXTRA_BYTES)
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

function collect(request: IncomingMessage, timeoutMs: number, admit: (size: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new BodyBuffer(Number(request.headers["content-length"] ?? 0));
    const timer = setTimeout(
      () => settle(() => reject(new Problem(408, `The body was not whole after ${timeoutMs} ms.`))),
      timeoutMs,
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

/** Collects chunks in one buffer that grows. Joining them at the end would need twice the memory. */
class BodyBuffer {
  size = 0;
  #buffer: Buffer = Buffer.alloc(0);
  readonly #announced: number;

  /** @param announced the content-length, which is trusted only after more than a small body has arrived */
  constructor(announced: number) {
    this.#announced = announced;
  }

  add(chunk: Buffer): void {
    // Most bodies arrive in one chunk, which then is the whole buffer.
    if (chunk.length === this.#announced) {
      this.#buffer = chunk;
      this.size = chunk.length;
      return;
    }
    const size = this.size + chunk.length;
    if (size > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(
        size <= SMALL_BODY_BYTES ? size : size <= this.#announced ? this.#announced : 2 * size,
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

const MAX_DISCARDED_BYTES = 1024 * 1024;

/**
 * Reads and drops the rest of a refused request, up to a time and a size. If the connection were closed while the
 * client still sends, most clients would not see the answer.
 * @param within ms
 */
export function discardRest(request: IncomingMessage, within: number): void {
  if (request.complete || request.destroyed) return;
  let left = MAX_DISCARDED_BYTES;
  const timer = setTimeout(() => request.destroy(), within);
  request.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    // Stop reading: a flood would create garbage faster than it is collected.
    if (left < 0) request.pause();
  });
  request.once("close", () => clearTimeout(timer));
  request.once("end", () => clearTimeout(timer));
  request.resume();
}
