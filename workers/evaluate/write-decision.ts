import type { DeliveryState, Plan } from "../../src/delivery/types.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { type Delivery, ensureDelivery, setState } from "../../src/ledger/deliveries.ts";
import type { Tx } from "../../src/ledger/ledger.ts";
import { appendLog, logBytes } from "../../src/ledger/logs.ts";
import { queueStatuses } from "../../src/ledger/statuses.ts";
import { type Inspection, planOfInspection, type Subject } from "../commit/inspect.ts";
import { reportWasted } from "../commit/prepared-time.ts";
import { hasNewVersion } from "../commit/versions.ts";
import type { Station } from "../station.ts";
import { type Next, NOTHING } from "./next.ts";
import { type ReviewParts, reviewDelivered } from "./review-delivered.ts";
import { supersedeOlder } from "./supersede.ts";
import { isOpen, type Target, targetOf } from "./target.ts";

export type { Next } from "./next.ts";

/** What writing a decision uses of the station. */
export type DecisionParts = ReviewParts & Pick<Station, "preparedSeconds" | "stageSeconds">;

/** Writes down what follows from an inspection. @param existing the commit's delivery, as it was read after the sync */
export async function writeDecision(
  station: DecisionParts,
  subject: Subject,
  found: Inspection,
  existing: Delivery | null,
): Promise<Next> {
  const { repo, mirror, sha } = subject;
  if (found.kind === "gone" && existing === null) {
    await recordDecision(station.ledger, repo.id, sha, found.verdict);
    return NOTHING;
  }
  if (existing?.state === "delivered") return reviewDelivered(station, subject, existing, found);
  const commit = found.kind === "gone" ? null : await mirror.commit(sha);
  const target = await targetOf(station, subject, found, existing);
  const isTaggedAnew =
    existing?.state === "failed" && isOpen(target.state) && (await hasNewVersion(station, mirror, existing));
  const { delivery, next } = await station.ledger.transaction(async (tx) => {
    await recordDecision(tx, repo.id, sha, { action: found.verdict.action, because: found.verdict.because });
    const { state, because } = target;
    const delivery = await ensureDelivery(tx, repo.id, sha, {
      ref: refsOf(found)[0] ?? null,
      state: state === "queued" ? "waiting" : state,
      because,
      message: commit?.message ?? "",
      author: commit?.author ?? "",
      committedAt: commit?.committedAt?.getTime() ?? null,
    });
    // Nothing is built from such a file, so nothing else would be in the log.
    if (found.kind === "bad-plan" && (delivery.because !== because || (await logBytes(tx, delivery.id)) === 0))
      await appendLog(tx, delivery.id, `✗ ${station.mask(because)}\n`);
    const mayMove = mayBeDecidedAgain(delivery, isTaggedAnew);
    const next = mayMove ? await moveTo(tx, station, delivery, found, target) : NOTHING;
    const plan = next === NOTHING ? delivery.plan : (planOfInspection(found) ?? delivery.plan);
    return { delivery: { ...delivery, plan }, next };
  });
  if (existing?.state === "waiting" && isLost(target.state)) await reportWasted(station, existing.id);
  if (isOpen(target.state)) await supersedeOlder(station, repo, mirror, delivery, refsOf(found));
  return next;
}

/**
 * Moves the delivery to its target, and says so on the commit.
 * @returns NOTHING where it was moved by another meanwhile
 */
async function moveTo(
  tx: Tx,
  station: DecisionParts,
  { id, state: from, repoId, sha, plan: planBefore, waitingSince }: Delivery,
  found: Inspection,
  target: Target,
): Promise<Next> {
  const { state, because, revokeLease, failedBy, isBad } = target;
  const plan = planOfInspection(found);
  const retryAt = found.kind === "planned" ? found.retryAt : null;
  const mayPrepare = station.config.prepare === "eager" && state === "waiting" && !revokeLease && plan !== null;
  const moved = await setState(tx, id, {
    ...{ from: [from], to: state, because, revokeLease, failedBy, plan },
    evaluateIn: state === "waiting" && retryAt !== null ? retryAt - station.clock.now() : null,
    mayPrepare: mayPrepare,
    ref: refsOf(found)[0] ?? null,
  });
  if (!moved) return NOTHING;
  if (from === "waiting" && state !== "waiting" && waitingSince !== null)
    station.stageSeconds.observe({ stage: "waiting" }, Math.max(0, station.clock.now() - waitingSince) / 1000);
  const subject = { repoId, sha, deliveryId: id };
  const names = namesOf(plan);
  if (state === "ignored") await queueStatuses(tx, station, subject, namesOf(planBefore), "ignored", because);
  else if (names.length > 0 || found.kind === "bad-plan")
    await queueStatuses(tx, station, subject, names, state, because, isBad);
  return { deliver: state === "queued" ? id : null, prepare: mayPrepare ? id : null, names: [] };
}

/**
 * A hint changes nothing that has begun, or that a person or the user's own mistake has ended. No verdict of the gate
 * is final, however often the commit was tried: its CI may answer late, or again. A version tag that no attempt knew
 * asks for the commit anew.
 */
function mayBeDecidedAgain(delivery: Delivery, isTaggedAnew: boolean): boolean {
  switch (delivery.state) {
    case "waiting":
    case "ignored":
    case "superseded":
      return true;
    case "failed":
      return delivery.failedBy !== "attempt" || isTaggedAnew;
    case "queued":
    case "building":
    case "publishing":
    case "delivered":
    case "cancelled":
      return false;
  }
}

function isLost(state: DeliveryState): boolean {
  return state === "superseded" || state === "ignored" || state === "failed";
}

function refsOf(found: Inspection): string[] {
  return found.kind === "gone" ? [] : found.refs;
}

function namesOf(plan: Plan | null): string[] {
  return plan?.artifacts.map((artifact) => artifact.name) ?? [];
}
