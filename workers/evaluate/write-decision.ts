import { willFailText } from "../../src/delivery/commit-status.ts";
import type { DeliveryState, Plan, Repo, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { type Delivery, ensureDelivery, findDelivery, setState } from "../../src/ledger/deliveries.ts";
import { preparationFailure } from "../../src/ledger/leases.ts";
import { queueNameUpdate } from "../../src/ledger/name-updates.ts";
import type { FailedBy } from "../../src/ledger/schema/schema.ts";
import { noteGone, noteTurnedRed } from "../announce/after-release.ts";
import { queueStatuses } from "../announce/queue-statuses.ts";
import type { Inspection } from "../commit/inspect.ts";
import { reportWasted } from "../deliver/prepare-ahead.ts";
import { lacksNames } from "../names/missing-names.ts";
import { hasNewVersion } from "../names/versions.ts";
import type { Station } from "../station.ts";
import { overtakenBy, supersedeOlder } from "./supersede.ts";
import { waitsForAnswer } from "./unanswered.ts";

/** What must be queued after a decision was written. */
export interface Next {
  deliver: string | null;
  /** The delivery that may be prepared while its CI runs. */
  ahead: string | null;
  names: string[];
}

const NOTHING: Next = { deliver: null, ahead: null, names: [] };

/** Writes down what follows from a look. */
export async function writeDecision(
  station: Station,
  repo: Repo,
  mirror: Mirror,
  sha: Sha,
  found: Inspection,
): Promise<Next> {
  const existing = await findDelivery(station.ledger, repo.id, sha);
  if (found.unknown && existing === null) {
    await recordDecision(station.ledger, repo.id, sha, found.verdict);
    return NOTHING;
  }
  if (existing?.state === "delivered") return lookAgain(station, repo, mirror, existing, found);
  const commit = found.unknown ? null : await mirror.commit(sha);
  const target = await targetOf(station, repo, mirror, sha, found, existing);
  const { state, because, isBad } = target;
  const isTaggedAnew =
    existing?.state === "failed" && isOpen(state) && (await hasNewVersion(station, mirror, existing));
  const names = namesOf(found.plan);
  const next = await station.ledger.transaction(async (tx) => {
    await recordDecision(tx, repo.id, sha, { action: found.verdict.action, because: found.verdict.because });
    const delivery = await ensureDelivery(tx, repo.id, sha, {
      ref: found.refs[0] ?? null,
      state: state === "queued" ? "waiting" : state,
      because,
      message: commit?.message ?? "",
      author: commit?.author ?? "",
      committedAt: commit?.committedAt?.getTime() ?? null,
    });
    if (!mayBeDecidedAgain(delivery, isTaggedAnew)) return NOTHING;
    const mayGoAhead =
      station.config.prepare === "eager" && state === "waiting" && !target.takeBack && found.plan !== null;
    const moved = await setState(tx, delivery.id, {
      from: [delivery.state],
      to: state,
      because,
      revokeLease: target.takeBack,
      failedBy: target.failedBy,
      evaluateIn: state === "waiting" && found.retryAt !== null ? found.retryAt - station.clock.now() : null,
      mayPrepare: mayGoAhead,
      plan: found.plan,
      ref: found.refs[0] ?? null,
    });
    if (!moved) return NOTHING;
    const subject = { repoId: repo.id, sha, deliveryId: delivery.id };
    if (state === "ignored") await queueStatuses(tx, station, subject, namesOf(delivery.plan), "ignored", because);
    else if (names.length > 0 || found.badPlan !== null)
      await queueStatuses(tx, station, subject, names, state, because, isBad);
    return {
      deliver: state === "queued" ? delivery.id : null,
      ahead: mayGoAhead ? delivery.id : null,
      names: [],
    };
  });
  const isLost = state === "superseded" || state === "ignored" || state === "failed";
  if (existing?.state === "waiting" && isLost) await reportWasted(station, existing.id);
  if (isOpen(state)) {
    const newer = await findDelivery(station.ledger, repo.id, sha);
    if (newer !== null) await supersedeOlder(station, repo, mirror, newer, found.refs);
  }
  return next;
}

/** A commit that is delivered may have gained a version or a branch since, or its CI may have turned red. Nothing is taken back. */
async function lookAgain(
  station: Station,
  repo: Repo,
  mirror: Mirror,
  delivery: Delivery,
  found: Inspection,
): Promise<Next> {
  const { ledger } = station;
  if (found.verdict.bad === "red") await noteTurnedRed(station, delivery, found.verdict.because);
  // A branch that leaves a commit long after its release is no news; one that left it while it was being named was decided without it.
  if (delivery.lookAt !== null && found.refs.length === 0) await noteGone(station, delivery, found.verdict.because);
  if (found.plan === null || found.refs.length === 0) return NOTHING;
  const names = namesOf(found.plan);
  await ledger.transaction(async (tx) => {
    for (const artifact of names)
      await queueNameUpdate(tx, { repoId: repo.id, sha: delivery.sha, deliveryId: delivery.id, artifact });
  });
  if (found.verdict.action !== "deliver") return { ...NOTHING, names };
  if (!(await lacksNames(station, repo, mirror, delivery, found.plan, found.refs))) return { ...NOTHING, names };
  const because = "the commit has a new name: publishing it";
  const moved = await setState(ledger, delivery.id, { from: ["delivered"], to: "queued", because });
  return { ...NOTHING, deliver: moved ? delivery.id : null, names };
}

function namesOf(plan: Plan | null): string[] {
  return plan?.artifacts.map((artifact) => artifact.name) ?? [];
}

/**
 * What has been begun, or ended by a person or by the user's own mistake, is not for a hint to change. No verdict of the gate is final, however
 * often the commit was tried: its CI may speak late, or again. A version tag that no attempt knew asks for the commit anew.
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

function isOpen(state: DeliveryState): boolean {
  return state === "queued" || state === "waiting";
}

interface Target {
  state: DeliveryState;
  because: string;
  /** Shown as a failure, whatever the state. */
  isBad: boolean;
  /** Nobody is to prepare it ahead any more. */
  takeBack: boolean;
  failedBy?: FailedBy;
}

async function targetOf(
  station: Station,
  repo: Repo,
  mirror: Mirror,
  sha: Sha,
  found: Inspection,
  existing: Delivery | null,
): Promise<Target> {
  const { verdict, badPlan, unanswered } = found;
  const takeBack = verdict.bad !== undefined;
  const plain = { isBad: takeBack, takeBack, because: verdict.because };
  if (badPlan !== null) return { ...plain, state: "failed", failedBy: "plan", because: badPlan.message };
  if (unanswered !== null)
    return { ...plain, state: "waiting", because: waitsForAnswer(station, repo.host, unanswered, existing) };
  switch (verdict.action) {
    case "ignore":
      return { ...plain, state: "ignored" };
    case "superseded":
      return { ...plain, state: "superseded" };
    case "deliver":
    case "wait": {
      const newer = await overtakenBy(station, repo, mirror, sha, found, existing);
      if (newer !== null) return { ...plain, state: "superseded", because: `superseded by ${newer}` };
      return openTarget(
        found,
        existing,
        existing === null ? null : await preparationFailure(station.ledger, existing.id),
      );
    }
  }
}

/** @param failure what the same bytes failed for while the commit waited: they are not built again to fail again */
function openTarget({ verdict }: Inspection, existing: Delivery | null, failure: string | null): Target {
  const { because, action, bad } = verdict;
  const takeBack = bad !== undefined;
  if (action === "deliver") {
    if (failure !== null) return { state: "failed", failedBy: "attempt", because: failure, isBad: true, takeBack };
    // Whoever prepares it ahead goes on, and a worker takes over from there.
    const next = existing?.leaseOwner ? "being prepared" : "waiting for a worker";
    return { state: "queued", because: `${because}; ${next}`, isBad: false, takeBack };
  }
  if (bad === "timed-out") return { state: "failed", failedBy: "gate", because, isBad: true, takeBack };
  if (failure !== null && bad === undefined)
    return { state: "waiting", because: willFailText(failure), isBad: true, takeBack };
  return { state: "waiting", because, isBad: takeBack, takeBack };
}
