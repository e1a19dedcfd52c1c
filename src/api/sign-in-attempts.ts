import type { Request } from "express";
import { BoundedCache } from "../async/bounded-cache.ts";
import type { Log } from "../observe/log.ts";
import { SampledLog } from "../observe/sampled-log.ts";
import { clientAddress } from "../receiver/client-address.ts";

/** How a request authenticates: the sign-in form, the Authorization header, or the session cookie. */
export type SignInMethod = "form" | "bearer" | "cookie";

/** A token bucket of failures. */
interface Bucket {
  /** Failures that are still allowed. */
  left: number;
  /** When `left` was computed, in ms by the monotonic clock. */
  at: number;
}

interface Rate {
  /** Failures that are allowed in a burst. */
  burst: number;
  /** ms until one more failure is allowed. */
  refillMs: number;
}

const PER_ADDRESS: Rate = { burst: 10, refillMs: 10_000 };
const OVERALL: Rate = { burst: 100, refillMs: 1_000 };
/** Addresses that are remembered; about 200 bytes each. */
const MAX_ADDRESSES = 1_000;

/**
 * Counts failed sign-ins. Each is logged, and too many by the form make the form wait. Behind a proxy that
 * `trustProxy` does not name, all clients have one address, so the form may be closed for everybody. The token in a header is always checked, so that a flood of
 * attempts cannot lock its owner out.
 */
export class SignInAttempts {
  readonly #log: SampledLog;
  readonly #byAddress: BoundedCache<Bucket>;
  readonly #overall: Bucket = { left: OVERALL.burst, at: performance.now() };

  constructor(log: Log) {
    this.#log = new SampledLog(log, "failed sign-ins");
    this.#byAddress = new BoundedCache(MAX_ADDRESSES, PER_ADDRESS.burst * PER_ADDRESS.refillMs);
  }

  /** ms until this client may use the form again; 0: now. */
  waitMs(request: Request): number {
    const own = this.#byAddress.get(clientAddress(request));
    return Math.max(waitOf(this.#overall, OVERALL), own === undefined ? 0 : waitOf(own, PER_ADDRESS));
  }

  recordFailure(request: Request, by: SignInMethod): void {
    const from = clientAddress(request);
    if (by === "form") {
      const own = this.#byAddress.get(from) ?? { left: PER_ADDRESS.burst, at: performance.now() };
      take(own, PER_ADDRESS);
      take(this.#overall, OVERALL);
      this.#byAddress.set(from, own);
    }
    const path = request.path.slice(0, 200);
    this.#log.warn("a sign-in failed: that is not the token", { by, from, path });
  }
}

function refill(bucket: Bucket, { burst, refillMs }: Rate): void {
  const now = performance.now();
  bucket.left = Math.min(burst, bucket.left + (now - bucket.at) / refillMs);
  bucket.at = now;
}

function take(bucket: Bucket, rate: Rate): void {
  refill(bucket, rate);
  bucket.left -= 1;
}

function waitOf(bucket: Bucket, rate: Rate): number {
  refill(bucket, rate);
  return bucket.left >= 1 ? 0 : (1 - bucket.left) * rate.refillMs;
}
