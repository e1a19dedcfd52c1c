import { oneLine } from "../../src/delivery/commit-status.ts";
import { Refused, TransientError, UserError } from "../../src/delivery/errors.ts";
import { backOff } from "../../src/delivery/retry.ts";
import { getDelivery } from "../../src/ledger/deliveries.ts";
import { recentFailureCodes } from "../../src/ledger/leases.ts";
import type { AfterReleaseParts } from "../commit/after-release.ts";
import type { Station } from "../station.ts";
import { NoLongerGreen } from "./gate.ts";
import { Cancelled, type Lease, LeaseLost, ShuttingDown } from "./lease.ts";
import { type End, endAttempt } from "./stages.ts";
import type { Tools } from "./under-lease.ts";

/** The error code of a fault of our own. Such a fault rarely passes; what other systems do mostly passes at last. */
const BUG = "internal";
const BUG_ATTEMPTS = 5;

export type SettleParts = AfterReleaseParts & Pick<Station, "queues">;

/** Writes down how an attempt ended that did not reach the end of the line. */
export async function settleFailure(
  station: SettleParts,
  id: string,
  lease: Lease,
  { run, log, flush }: Tools,
  error: unknown,
): Promise<void> {
  const { ledger, queues } = station;
  const delivery = await getDelivery(ledger, id).catch(() => null);
  if (delivery === null || error instanceof LeaseLost) {
    log.warn("the attempt stopped: its lease was lost");
    return;
  }
  const how = endOf(error, await recentFailureCodes(ledger, id).catch(() => []));
  run.log.line(`✗ ${how.because}`);
  log[how.outcome === "failed" ? "warn" : "info"]("the attempt ended", {
    outcome: how.outcome,
    because: oneLine(how.because),
    retryIn: how.retryIn,
    error,
  });
  await flush();
  try {
    await endAttempt(station, delivery, lease.fence, how);
  } catch (ledgerError) {
    // The lease runs out by itself, and the sweep finds the delivery.
    log.error("the end of the attempt could not be written", { error: ledgerError });
    return;
  }
  if (how.state === "queued") await queues.add("deliver", { delivery: id }, { delay: how.retryIn ?? 0 });
  await queues.add("announce", {});
}

/** @param before error codes of the attempts in a row before this one that were to be tried again */
function endOf(error: unknown, before: string[]): End {
  if (error instanceof ShuttingDown)
    return { state: "queued", because: "handed back: the worker is stopping", outcome: "handed-back" };
  if (error instanceof Cancelled) return { state: error.state, because: error.message, outcome: "cancelled" };
  if (error instanceof NoLongerGreen) {
    const { state, message: because, bad } = error;
    const outcome = state === "failed" ? "failed" : "handed-back";
    return { state, because, bad, outcome, failedBy: "plan", ...(state === "waiting" && { evaluateIn: 0 }) };
  }
  // Another repo has its name now: nothing of this delivery is built from there.
  if (error instanceof Refused && error.code === "repo-replaced")
    return { state: "superseded", because: error.message, outcome: "handed-back" };
  if (error instanceof UserError || error instanceof Refused) {
    return { state: "failed", because: error.message, outcome: "failed", errorCode: error.code };
  }
  const isTransient = error instanceof TransientError;
  const errorCode = isTransient ? error.code : BUG;
  const message = error instanceof Error ? error.message : String(error);
  const tried = before.filter((code) => code === errorCode).length + 1;
  if (tried >= ((isTransient ? error.tries : BUG_ATTEMPTS) ?? Number.POSITIVE_INFINITY)) {
    const because = isTransient ? `given up after ${tried} tries: ${message}` : `deliverd itself failed: ${message}`;
    return { state: "failed", because, outcome: "failed", errorCode };
  }
  const retryIn = backOff(before.length + 1, Math.random(), isTransient ? error.retryAfter : null);
  return {
    state: "queued",
    because: `trying again in ${Math.ceil(retryIn / 1000)} s: ${message}`,
    outcome: "retry",
    errorCode,
    retryIn,
  };
}
