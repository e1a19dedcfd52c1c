import { willFailText } from "../../src/delivery/commit-status.ts";
import type { CommitDecision } from "../../src/delivery/decide.ts";
import type { DeliveryState } from "../../src/delivery/types.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { preparationFailure } from "../../src/ledger/leases.ts";
import type { FailedBy } from "../../src/ledger/schema/schema.ts";
import type { Inspection, Subject } from "../commit/inspect.ts";
import type { Station } from "../station.ts";
import { waitsForHost } from "./host-error.ts";
import { overtakenBy } from "./supersede.ts";

/** Where a decision moves a delivery. */
export interface Target {
  state: DeliveryState;
  because: string;
  /** Shown as a failure, whatever the state. */
  isBad: boolean;
  /** Takes the lease from the worker that prepares it while its CI runs. */
  revokeLease: boolean;
  failedBy?: FailedBy;
}

export function isOpen(state: DeliveryState): boolean {
  return state === "queued" || state === "waiting";
}

export async function targetOf(
  station: Pick<Station, "config" | "ledger" | "mask">,
  subject: Subject,
  found: Inspection,
  existing: Delivery | null,
): Promise<Target> {
  const { because, bad } = found.verdict;
  const revokeLease = bad !== undefined;
  const target = { because, isBad: revokeLease, revokeLease };
  switch (found.kind) {
    case "gone":
      return { ...target, state: "superseded" };
    case "ignored":
      return { ...target, state: "ignored" };
    case "bad-plan":
      return { ...target, state: "failed", failedBy: "plan", because: found.error.message };
    case "host-error":
      return {
        ...target,
        state: "waiting",
        because: waitsForHost(station, subject.repo.host, found.error, existing),
      };
    case "planned":
      return targetOfPlanned(station, subject, found, existing, target);
  }
}

async function targetOfPlanned(
  station: Pick<Station, "config" | "ledger">,
  subject: Subject,
  found: Extract<Inspection, { kind: "planned" }>,
  existing: Delivery | null,
  target: Omit<Target, "state">,
): Promise<Target> {
  switch (found.verdict.action) {
    case "ignore":
      return { ...target, state: "ignored" };
    case "superseded":
      return { ...target, state: "superseded" };
    case "deliver":
    case "wait": {
      const newer = await overtakenBy(station, subject, found, existing);
      if (newer !== null) return { ...target, state: "superseded", because: `superseded by ${newer}` };
      const failure = existing === null ? null : await preparationFailure(station.ledger, existing.id);
      return openTarget(found.verdict, existing, failure);
    }
  }
}

/** @param failure why preparing failed while CI ran: the same bytes would fail again, so they are not built again */
function openTarget(verdict: CommitDecision, existing: Delivery | null, failure: string | null): Target {
  const { because, action, bad } = verdict;
  const revokeLease = bad !== undefined;
  if (action === "deliver") {
    if (failure !== null) return { state: "failed", failedBy: "attempt", because: failure, isBad: true, revokeLease };
    // The worker that prepares it ahead goes on, and another takes over from there.
    const next = existing?.leaseOwner ? "being prepared" : "waiting for a worker";
    return { state: "queued", because: `${because}; ${next}`, isBad: false, revokeLease };
  }
  if (bad === "timed-out") return { state: "failed", failedBy: "gate", because, isBad: true, revokeLease };
  if (failure !== null && bad === undefined)
    return { state: "waiting", because: willFailText(failure), isBad: true, revokeLease };
  return { state: "waiting", because, isBad: revokeLease, revokeLease };
}
