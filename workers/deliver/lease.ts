import { setMaxListeners } from "node:events";
import { TransientError } from "../../src/delivery/errors.ts";
import { END_REASONS, type RequestedEnd } from "../../src/ledger/cancel.ts";
import { type Claim, claimDelivery, type claimToPrepare, type Renewal, renewLease } from "../../src/ledger/leases.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";

/** When a lease is renewed, and when it is given up (ms). */
export interface LeaseTimes {
  /** By the store's clock: after this time another worker may take the delivery of a killed one. */
  ttl: number;
  renewEvery: number;
  /** The attempt is aborted this long before the store may give the lease to another: its requests must end by then. */
  margin: number;
  /** A monotonic clock. */
  now(): number;
}

const TIMES: LeaseTimes = { ttl: 12_000, renewEvery: 4_000, margin: 2_000, now: () => performance.now() };

/** Why a run was aborted, as the signal's reason. */
export class Cancelled extends Error {
  readonly state: RequestedEnd;
  constructor(state: RequestedEnd) {
    super(END_REASONS[state]);
    this.state = state;
  }
}
export class LeaseLost extends Error {}
export class ShuttingDown extends Error {}

export interface Lease {
  /** Rises with each claim: the ledger refuses writes under an older fence. */
  fence: number;
  /** The number of the attempt, as `why` and logs show it. */
  attempt: number;
  /** Aborted when the lease is lost, the delivery is cancelled, or `abort` is called. */
  signal: AbortSignal;
  abort(reason: Error): void;
  /** Stops renewing. The end of the attempt frees the row in the ledger. */
  stop(): void;
}

/**
 * Asks the ledger whether the lease is still ours, before a write that cannot be undone. A late answer proves nothing:
 * the lease may have run out since.
 * @throws LeaseLost
 */
export async function requireLease(ledger: Ledger, delivery: string, fence: number, times = TIMES): Promise<void> {
  const asked = times.now();
  const { kind } = await renewLease(ledger, delivery, fence, times.ttl);
  if (kind === "lost") throw new LeaseLost(TAKEN);
  if (times.now() - asked >= times.ttl - times.margin) throw new LeaseLost(TOO_LATE);
}

const TAKEN = "another worker has this delivery now";
const TOO_LATE = "the ledger did not renew the lease in time";

/** Takes the delivery for this worker. @returns null if another worker has it, or if it is not due */
export async function takeLease(
  ledger: Ledger,
  delivery: string,
  owner: string,
  take: typeof claimDelivery | typeof claimToPrepare = claimDelivery,
  times = TIMES,
): Promise<Lease | null> {
  const asked = times.now();
  const claimed = await take(ledger, delivery, owner, times.ttl);
  if (claimed === null) return null;
  return new HeldLease(() => renewLease(ledger, delivery, claimed.fence, times.ttl), claimed, asked, times);
}

/**
 * Counts from before the request of its last successful renewal. So it ends here before it ends by the store's clock,
 * even if a request hangs.
 */
class HeldLease implements Lease {
  readonly fence: number;
  readonly attempt: number;
  readonly #controller = new AbortController();
  readonly #renew: () => Promise<Renewal>;
  readonly #times: LeaseTimes;
  readonly #renewing: NodeJS.Timeout;
  #givingUp: NodeJS.Timeout | undefined;
  #heldUntil = 0;
  #stopped = false;

  constructor(renew: () => Promise<Renewal>, { fence, attempt }: Claim, asked: number, times: LeaseTimes) {
    this.fence = fence;
    this.attempt = attempt;
    this.#renew = renew;
    this.#times = times;
    // Every request to every registry listens to it.
    setMaxListeners(0, this.signal);
    // A renewal that hangs does not hold up the next, which uses another connection.
    this.#renewing = setInterval(() => void this.#renewOnce(), times.renewEvery).unref();
    this.#heldSince(asked);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#renewing);
    clearTimeout(this.#givingUp);
  }

  async #renewOnce(): Promise<void> {
    const asked = this.#times.now();
    try {
      const renewal = await this.#renew();
      if (this.#stopped) return;
      if (renewal.kind === "lost") return this.#lose(TAKEN);
      if (renewal.kind === "stop") this.abort(new Cancelled(renewal.end));
      this.#heldSince(asked);
    } catch (error) {
      if (!(error instanceof TransientError)) this.#lose("the ledger could not be asked");
    }
  }

  #heldSince(asked: number): void {
    const { ttl, margin, now } = this.#times;
    this.#heldUntil = Math.max(this.#heldUntil, asked + ttl - margin);
    clearTimeout(this.#givingUp);
    const left = this.#heldUntil - now();
    if (left <= 0) this.#lose(TOO_LATE);
    else this.#givingUp = setTimeout(() => this.#lose(TOO_LATE), left).unref();
  }

  #lose(reason: string): void {
    this.stop();
    this.abort(new LeaseLost(reason));
  }
}
