import { setMaxListeners } from "node:events";
import { TransientError } from "../src/delivery/errors.ts";
import { claim, type claimAhead, renew } from "../src/ledger/leases.ts";
import type { Ledger } from "../src/ledger/ledger.ts";

/** A killed worker's delivery is another's after this; a live worker renews three times within it. */
const TTL = 12_000;
const RENEW_EVERY = 4_000;

/** Why a run was aborted, as the signal's reason. */
export class Cancelled extends Error {
  readonly state: "cancelled" | "superseded";
  constructor(state: "cancelled" | "superseded") {
    super(state === "cancelled" ? "cancelled by a person" : "superseded by a newer commit of its branch");
    this.state = state;
  }
}
export class LeaseLost extends Error {}
export class ShuttingDown extends Error {}

export interface Lease {
  /** Rises with each claim: what an older holder still writes is refused. */
  fence: number;
  /** Aborted when the lease is lost, the delivery is cancelled, or `abort` is called. */
  signal: AbortSignal;
  abort(reason: Error): void;
  /** Stops renewing. The ledger's own row is freed by whoever ends the attempt. */
  stop(): void;
}

/** Asks the ledger whether the lease is still ours, before what cannot be taken back. @throws LeaseLost */
export async function demandLease(ledger: Ledger, delivery: string, fence: number): Promise<void> {
  if (!(await renew(ledger, delivery, fence, TTL)).held) throw new LeaseLost("another worker has this delivery now");
}

/** Takes the delivery for this worker, or null where another has it or it is not due. */
export async function takeLease(
  ledger: Ledger,
  delivery: string,
  owner: string,
  take: typeof claim | typeof claimAhead = claim,
): Promise<Lease | null> {
  const claimed = await take(ledger, delivery, owner, TTL);
  if (claimed === null) return null;
  const controller = new AbortController();
  // Each request of each artifact to each registry listens to it.
  setMaxListeners(0, controller.signal);
  let renewedAt = Date.now();
  let asking = false;
  const renewOnce = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    try {
      const answer = await renew(ledger, delivery, claimed.fence, TTL);
      if (!answer.held) controller.abort(new LeaseLost("another worker has this delivery now"));
      else if (answer.endAs !== null) controller.abort(new Cancelled(answer.endAs));
      renewedAt = Date.now();
    } catch (error) {
      // A ledger that does not answer may have given the lease away: past the TTL we must not go on.
      if (!(error instanceof TransientError) || Date.now() - renewedAt > TTL) {
        controller.abort(new LeaseLost("the ledger could not be asked in time"));
      }
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(() => void renewOnce(), RENEW_EVERY);
  timer.unref();
  return {
    fence: claimed.fence,
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    stop: () => clearInterval(timer),
  };
}
