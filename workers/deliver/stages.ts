import { oneLine } from "../../src/delivery/commit-status.ts";
import { isFinished } from "../../src/delivery/delivery-states.ts";
import type { DeliveryState } from "../../src/delivery/types.ts";
import { artifactsOf, setArtifactState } from "../../src/ledger/artifacts.ts";
import { type Delivery, getDelivery, setState } from "../../src/ledger/deliveries.ts";
import { type AttemptEnd, finishAttempt } from "../../src/ledger/leases.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { queueNameUpdate } from "../../src/ledger/name-updates.ts";
import type { FailedBy } from "../../src/ledger/schema/schema.ts";
import { clearBadPlan, queueStatuses, STATUS_DEBOUNCE_MS, type StatusParts } from "../../src/ledger/statuses.ts";
import { type AfterReleaseParts, reportCancelledLate } from "../commit/after-release.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";
import { LeaseLost } from "./lease.ts";

/** What showing a stage uses of the station. */
export type StageParts = StatusParts & Pick<Station, "ledger" | "queues">;

/** The names of the artifacts that no attempt has released yet. */
export async function unreleasedOf(ledger: Ledger, { delivery, plan }: Work): Promise<string[]> {
  const rows = await artifactsOf(ledger, delivery.id);
  const released = new Set(rows.filter((each) => each.state === "released").map((each) => each.name));
  return plan.artifacts.map((each) => each.name).filter((name) => !released.has(name));
}

/**
 * Moves the delivery to the next stage, and shows it on the commit.
 * @param names the artifacts whose status it is @throws LeaseLost where the fence is stale
 */
export async function enterStage(
  station: StageParts,
  { delivery, repo, fence }: Work,
  state: "building" | "publishing",
  because: string,
  names: string[],
): Promise<void> {
  const isFirstStage = state === "building" || delivery.naming !== null;
  const moved = await station.ledger.transaction(async (tx) => {
    const from = ["queued", "building", "publishing"] as const;
    if (!(await setState(tx, delivery.id, { from, to: state, because, fence }))) return false;
    const subject = { repoId: repo.id, sha: delivery.sha, deliveryId: delivery.id };
    if (isFirstStage) await clearBadPlan(tx, station, subject);
    await queueStatuses(tx, station, subject, names, state, because);
    return true;
  });
  if (!moved) throw new LeaseLost("another worker has this delivery now");
  // Nobody waits for it: what the next stage or the sweep queues sends it too.
  void station.queues.add("announce", {}, { delay: STATUS_DEBOUNCE_MS });
}

/** How an attempt ended. */
export interface End {
  state: DeliveryState;
  because: string;
  outcome: AttemptEnd["outcome"];
  errorCode?: string;
  /** Not to be claimed before so many ms from now. */
  retryIn?: number;
  bad?: boolean;
  failedBy?: FailedBy;
  /** To be evaluated again in so many ms, whether or not a hint comes. */
  evaluateIn?: number;
}

/** Writes how the attempt ended, in one transaction with the statuses of the commit. */
export async function endAttempt(
  station: AfterReleaseParts,
  { id, repoId, sha, plan }: Delivery,
  fence: number,
  how: End,
): Promise<void> {
  await station.ledger.transaction(async (tx) => {
    const because = station.mask(how.because);
    const { state: to, outcome, errorCode = null, retryIn = null, failedBy, evaluateIn } = how;
    const from: DeliveryState[] = ["waiting", "queued", "building", "publishing"];
    const before = await getDelivery(tx, id);
    if (!(await setState(tx, id, { from, to, because, fence, retryIn, failedBy, evaluateIn }))) return;
    await finishAttempt(tx, id, fence, { outcome, errorCode, message: because, retryIn });
    const artifacts = await artifactsOf(tx, id);
    const subject = { repoId, sha, deliveryId: id };
    // Of a delivery that failed at one artifact, another may be released: its names move all the same.
    const named = artifacts.filter(({ state }) => to === "delivered" || (isFinished(to) && state === "released"));
    for (const { name: artifact } of named) await queueNameUpdate(tx, { ...subject, artifact });
    if (to === "delivered") {
      // A request that came before the first name would have ended the attempt.
      if (before?.cancelRequested) await reportCancelledLate(tx, station, { id, repoId, sha });
      return;
    }
    const open = artifacts.filter(({ state }) => state !== "released" && state !== "unchanged").map(({ name }) => name);
    if (to === "failed" || to === "cancelled") {
      for (const name of open) await setArtifactState(tx, id, name, to, oneLine(because));
    }
    const names = artifacts.length > 0 ? open : (plan?.artifacts ?? []).map((each) => each.name);
    if (names.length > 0 || artifacts.length === 0)
      await queueStatuses(tx, station, subject, names, to, because, how.bad ?? false);
  });
}
