import { isDeepStrictEqual } from "node:util";
import { matchRepo, watches } from "../../src/delivery/bounds.ts";
import { type CommitDecision, type DecisionFacts, decide, needsCi } from "../../src/delivery/decide.ts";
import type { Refused, TransientError, UserError } from "../../src/delivery/errors.ts";
import { type Evidence, evidenceOf } from "../../src/delivery/proof/evidence.ts";
import { BRANCHES } from "../../src/delivery/refs.ts";
import type { CiState, Plan, Repo, RepoBounds, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { headsOf } from "../../src/ledger/heads.ts";
import { ASKED_EVENT, type StoredHint } from "../../src/ledger/hints.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import type { Station } from "../station.ts";
import { askCi, type CiAnswer, type CiQuestion, type PrefetchedCi, sortedBranches } from "./ask-ci.ts";
import { readPlan } from "./read-plan.ts";

/** What an inspection reads, apart from the mirror and the host. */
export interface Subject {
  repo: Repo;
  mirror: Mirror;
  sha: Sha;
  /** The hints about this commit, oldest first. */
  hints: StoredHint[];
}

/** What can be said of a commit without its CI. */
export type Described =
  /** No branch or tag of the repo holds the commit. Nothing about it becomes a delivery. */
  | { kind: "gone"; verdict: CommitDecision }
  /** The repo is in no entry of `repos`, or there is nothing to deliver. `refs`: full refs that hold the commit. */
  | { kind: "ignored"; verdict: CommitDecision; refs: string[] }
  /** The pipeline file is wrong. `error` is shown on the commit. */
  | { kind: "bad-plan"; verdict: CommitDecision; refs: string[]; error: UserError | Refused }
  /** `refs`: full refs that hold the commit and are watched; the ref whose hint came first leads. */
  | { kind: "planned"; plan: Plan; refs: string[]; facts: Omit<DecisionFacts, "ci" | "timedOut"> };

/** What one inspection finds: the decision on the commit, and what was read on the way. */
export type Inspection =
  | Exclude<Described, { kind: "planned" }>
  | PlannedInspection
  /** The host did not give the CI state. Nothing is concluded from that: the commit waits for the host. */
  | { kind: "host-error"; verdict: CommitDecision; plan: Plan; refs: string[]; error: TransientError };

export interface PlannedInspection {
  kind: "planned";
  verdict: CommitDecision;
  plan: Plan;
  refs: string[];
  /** When another inspection can find more by itself (ms since the epoch); null: only after a new event. */
  retryAt: number | null;
  /** What a decision to deliver rests on. Null: the decision is another one. */
  evidence: Evidence | null;
}

/** For a commit whose own rules cannot be read: any ref that the server allows. */
const ANY_REF = { branches: ["**"], tags: ["**"] };

/**
 * Reads the refs that hold the commit and its pipeline file. The mirror must have been synced before.
 * Writes nothing, and asks no host.
 */
export async function describeCommit(
  station: Pick<Station, "config" | "ledger">,
  { repo, mirror, sha, hints }: Subject,
): Promise<Described> {
  const bounds = matchRepo(station.config.repos, repo);
  if (bounds === null) return ignored(`${repo.owner}/${repo.name} is in no entry of repos`);
  const heldBy = await mirror.refsContaining(sha);
  if (heldBy.length === 0) {
    const because = "no branch or tag of the repo holds this commit";
    return { kind: "gone", verdict: { action: "superseded", because } };
  }
  const read = await readPlan(station.config, repo, mirror, sha, bounds);
  switch (read.kind) {
    case "bad": {
      const isAllowed = heldBy.some((ref) => watches(ANY_REF, bounds, ref).watched);
      const found = ignored(read.error.message, heldBy);
      return isAllowed ? { ...found, kind: "bad-plan", error: read.error } : found;
    }
    case "nothing":
      return ignored(read.because);
    case "plan": {
      const facts = await factsOf(station, { repo, mirror, sha, hints }, read.plan, bounds, heldBy);
      const hinted = hints.map((hint) => hint.ref);
      return { kind: "planned", plan: read.plan, refs: sortByHints(facts.watched, hinted, repo.defaultBranch), facts };
    }
  }
}

/**
 * Reads everything that the decision on a commit rests on, and decides. Writes nothing. The mirror must have been
 * synced before.
 * @param delivery the commit's own, as it stands now
 * @param prefetched what the host was asked beside the sync. It counts where the question is the same.
 * @throws TransientError where nothing can be said without the host's answer
 */
export async function inspect(
  station: Pick<Station, "config" | "ledger" | "hosts" | "clock">,
  subject: Subject,
  delivery: Pick<Delivery, "state" | "failedBy" | "waitingSince"> | null,
  prefetched: PrefetchedCi | null,
): Promise<Inspection> {
  const found = await describeCommit(station, subject);
  if (found.kind !== "planned") return found;
  const { plan, refs, facts } = found;
  const branches = sortedBranches(refs);
  const evidenceFor = ({ action, because }: CommitDecision, ci: Partial<CiState>, readAt: number) =>
    action === "deliver" ? evidenceOf({ ...ci, because }, plan.gate, branches, readAt) : null;
  if (!needsCi(facts)) {
    const verdict = verdictWithoutCi(facts);
    const evidence = evidenceFor(verdict, {}, station.clock.now());
    return { kind: "planned", verdict, plan, refs, retryAt: null, evidence };
  }
  const answer = await ciOf(station, subject, { gate: plan.gate, branches }, prefetched);
  switch (answer.kind) {
    case "host-error": {
      const { error } = answer;
      // Without its checks nobody knows whether a commit in the middle of a push is one of ours.
      if (!facts.wasHead && !facts.asked) throw error;
      return { kind: "host-error", verdict: { action: "wait", because: error.message }, plan, refs, error };
    }
    case "answered": {
      const timedOut = await hasWaitedFor(station, delivery, plan.gate.timeout);
      const verdict = decide({ ...facts, ci: answer.ci, timedOut });
      const evidence = evidenceFor(verdict, answer.ci, answer.askedAt);
      return { kind: "planned", verdict, plan, refs, retryAt: answer.ci.retryAt, evidence };
    }
  }
}

/** What is decided before the host is asked: a commit whose decision depends on its CI waits. */
export function verdictWithoutCi(facts: Omit<DecisionFacts, "ci" | "timedOut">): CommitDecision {
  return decide({ ...facts, ci: null, timedOut: false });
}

/** The plan that an inspection read; null where there is none. */
export function planOfInspection(found: Inspection): Plan | null {
  return found.kind === "planned" || found.kind === "host-error" ? found.plan : null;
}

async function factsOf(
  { ledger }: Pick<Station, "ledger">,
  { repo, mirror, sha, hints }: Subject,
  plan: Plan,
  bounds: RepoBounds,
  heldBy: string[],
): Promise<Omit<DecisionFacts, "ci" | "timedOut">> {
  const asked = heldBy.map((ref) => ({ ref, ...watches(plan.on, bounds, ref) }));
  return {
    heldBy,
    watched: asked.filter((each) => each.watched).map((each) => each.ref),
    unwatched: [...new Set(asked.filter((each) => !each.watched).map((each) => each.because))].slice(0, 3).join("; "),
    plan,
    // A hint that names both says that the ref pointed there, wherever it points by now.
    wasHead: hints.some((hint) => hint.ref !== null) || (await wasHead(ledger, repo, mirror, sha)),
    asked: hints.some((hint) => hint.event === ASKED_EVENT),
  };
}

/** Counts from when it began to wait: the time before, as a commit of an unwatched branch, is not the gate's time. */
async function hasWaitedFor(
  { ledger }: Pick<Station, "ledger">,
  delivery: Pick<Delivery, "state" | "failedBy" | "waitingSince"> | null,
  limit: number,
): Promise<boolean> {
  const isWaiting = delivery?.state === "waiting" || delivery?.failedBy === "gate";
  if (delivery === null || delivery.waitingSince === null || !isWaiting) return false;
  // Both by the store's clock: this process's own may be wrong.
  return (await storeTime(ledger)) - delivery.waitingSince > limit;
}

async function ciOf(
  station: Pick<Station, "hosts" | "clock">,
  { repo, sha }: Subject,
  question: CiQuestion,
  prefetched: PrefetchedCi | null,
): Promise<CiAnswer> {
  if (prefetched === null || !isDeepStrictEqual(prefetched.question, question))
    return askCi(station, repo, sha, question);
  if (prefetched.answer.status === "rejected") throw prefetched.answer.reason;
  return prefetched.answer.value;
}

async function wasHead(ledger: Station["ledger"], repo: Repo, mirror: Mirror, sha: Sha): Promise<boolean> {
  const current = await mirror.refs();
  if ([...current.values()].includes(sha)) return true;
  return (await headsOf(ledger, repo.id, sha)).length > 0;
}

/** The ref whose hint came first leads; then the default branch; then by name, so that every process says the same. */
function sortByHints(refs: string[], hinted: (string | null)[], defaultBranch: string): string[] {
  const rank = (ref: string): number => {
    const place = hinted.indexOf(ref);
    if (place >= 0) return place;
    return ref === BRANCHES + defaultBranch ? hinted.length : hinted.length + 1;
  };
  return [...refs].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

function ignored(because: string, refs: string[] = []): Extract<Described, { kind: "ignored" }> {
  return { kind: "ignored", verdict: { action: "ignore", because }, refs };
}
