import type { Request } from "express";
import { BoundedCache } from "../async/bounded-cache.ts";
import type { Log } from "../observe/log.ts";
import { SampledLog } from "../observe/sampled-log.ts";

/** How a request said who it is. */
export type SignInMethod = "form" | "bearer" | "cookie";

interface Bucket {
  /** Failures that are still allowed. */
  left: number;
  /** ms, of a clock that no one sets. */
  at: number;
}

/** Failures at once, and ms until one more is allowed. */
const EACH_ADDRESS = { most: 10, every: 10_000 };
const ALL = { most: 100, every: 1_000 };
const ADDRESSES = 1_000;

/**
 * Failed attempts to be let in: each is logged, and whoever fails too often by the form waits. Behind a proxy all share an
 * address, so the form may be closed for everybody; the token in a header is always looked at, so that no flood keeps its owner out.
 */
export class SignInAttempts {
  readonly #log: SampledLog;
  readonly #byAddress: BoundedCache<Bucket>;
  readonly #all: Bucket = { left: ALL.most, at: performance.now() };

  constructor(log: Log) {
    this.#log = new SampledLog(log, "failed sign-ins");
    this.#byAddress = new BoundedCache(ADDRESSES, EACH_ADDRESS.most * EACH_ADDRESS.every);
  }

  /** ms until the form may be tried again from there; 0: now. */
  waitMs(request: Request): number {
    const own = this.#byAddress.get(addressOf(request));
    return Math.max(waitOf(this.#all, ALL), own === undefined ? 0 : waitOf(own, EACH_ADDRESS));
  }

  recordFailure(request: Request, by: SignInMethod): void {
    const from = addressOf(request);
    if (by === "form") {
      const own = this.#byAddress.get(from) ?? { left: EACH_ADDRESS.most, at: performance.now() };
      take(own, EACH_ADDRESS);
      take(this.#all, ALL);
      this.#byAddress.set(from, own);
    }
    const path = request.path.slice(0, 200);
    this.#log.warn("a sign-in failed: that is not the token", { by, from, path });
  }
}

function addressOf(request: Request): string {
  return request.socket.remoteAddress ?? "";
}

function refill(bucket: Bucket, { most, every }: { most: number; every: number }): void {
  const now = performance.now();
  bucket.left = Math.min(most, bucket.left + (now - bucket.at) / every);
  bucket.at = now;
}

function take(bucket: Bucket, rate: { most: number; every: number }): void {
  refill(bucket, rate);
  bucket.left -= 1;
}

function waitOf(bucket: Bucket, rate: { most: number; every: number }): number {
  refill(bucket, rate);
  return bucket.left >= 1 ? 0 : (1 - bucket.left) * rate.every;
}
