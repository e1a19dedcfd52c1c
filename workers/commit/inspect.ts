import { isDeepStrictEqual } from "node:util";
import { parsePipeline } from "../../src/config/pipeline.ts";
import { type CommitDecision, type DecisionFacts, decide, needsCi } from "../../src/delivery/decide.ts";
import { Refused, TransientError, UserError } from "../../src/delivery/errors.ts";
import { matchRepo, planOf, watches } from "../../src/delivery/plan.ts";
import { BRANCHES } from "../../src/delivery/refs.ts";
import type { Plan, Repo, RepoBounds, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import { findDelivery } from "../../src/ledger/deliveries.ts";
import { headsOf } from "../../src/ledger/heads.ts";
import { ASKED_EVENT, hintsOf } from "../../src/ledger/hints.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { registryTypes } from "../../src/registries/index.ts";
import type { Station } from "../station.ts";
import { askCi, branchesOf, type CiAnswer, type PrefetchedCi, type Question } from "./ask-ci.ts";

const PIPELINE_FILE = ".deliverd.yml";
const PIPELINE_MAX_BYTES = 64 * 1024;

/** What one look at a commit finds: the decision, and what was read on the way. */
export interface Inspection {
  verdict: CommitDecision;
  /** Null where the pipeline file is bad, or there is nothing to deliver. */
  plan: Plan | null;
  /** The pipeline file's own error: shown on the commit. */
  badPlan: UserError | Refused | null;
  /** Full refs that hold the commit and are watched; the one whose hint came first leads. */
  refs: string[];
  /** In no repo of ours: nothing about it is recorded as a delivery. */
  unknown: boolean;
  /** When looking again can tell more by itself (ms since the epoch); null: only when the host says something new. */
  retryAt: number | null;
  /** Why the host did not tell the CI state of a commit that hangs on it; null: it did, or was not asked. */
  unanswered: TransientError | null;
}

/** For a commit whose own rules cannot be read: any ref that the server allows. */
const ANY_REF = { branches: ["**"], tags: ["**"] };
const UNWATCHED = { watched: false, because: "" };

/**
 * Reads everything that the decision on a commit rests on and decides. Writes nothing. The mirror must have been synced
 * for this look. Without `needsLight` nothing is asked of the host, and a commit that hangs on its CI waits; `foreseen` is what
 * was asked of it beside the sync.
 * Where the host does not tell the CI state, nothing is concluded from that: the commit waits for it.
 * @throws TransientError where even what it waits for cannot be said
 */
export async function inspect(
  station: Station,
  repo: Repo,
  mirror: Mirror,
  sha: Sha,
  { needsLight = true, foreseen = null }: { needsLight?: boolean; foreseen?: PrefetchedCi | null } = {},
): Promise<Inspection> {
  const bounds = matchRepo(station.config.repos, repo);
  if (bounds === null) return nothing("ignore", `${repo.owner}/${repo.name} is in no entry of repos`);
  const heldBy = await mirror.refsContaining(sha);
  if (heldBy.length === 0)
    return { ...nothing("superseded", "no branch or tag of the repo holds this commit"), unknown: true };

  const [{ plan, error }, hints] = await Promise.all([
    readPlan(station, repo, mirror, sha, bounds),
    hintsOf(station.ledger, repo.id, sha),
  ]);
  if (error !== null) {
    const allowed = heldBy.some((ref) => watches(ANY_REF, bounds, ref).watched);
    return { ...nothing("ignore", error.message), badPlan: allowed ? error : null, refs: heldBy };
  }
  const whole = "ignored" in plan ? null : plan;
  const asked = heldBy.map((ref) => ({ ref, ...(whole === null ? UNWATCHED : watches(whole.on, bounds, ref)) }));
  const watched = asked.filter((each) => each.watched).map((each) => each.ref);
  const facts: Omit<DecisionFacts, "ci" | "timedOut"> = {
    heldBy,
    watched,
    unwatched: [...new Set(asked.filter((each) => !each.watched).map((each) => each.because))].slice(0, 3).join("; "),
    plan,
    // A hint that names both says that the ref pointed there, wherever it points by now.
    wasHead: hints.some((hint) => hint.ref !== null) || (await wasHead(station, repo, mirror, sha)),
    asked: hints.some((hint) => hint.event === ASKED_EVENT),
  };
  const refs = inOrderOfHints(
    watched,
    hints.map((hint) => hint.ref),
    repo.defaultBranch,
  );
  if (whole === null || !needsLight || !needsCi(facts)) {
    return {
      verdict: decide({ ...facts, ci: null, timedOut: false }),
      plan: whole,
      badPlan: null,
      refs,
      unknown: false,
      retryAt: null,
      unanswered: null,
    };
  }
  const read = { plan: whole, badPlan: null, refs, unknown: false };
  const ci = await ciOf(station, repo, sha, { gate: whole.gate, branches: branchesOf(refs) }, foreseen);
  if (ci instanceof TransientError) {
    // Without its checks nobody knows whether a commit in the middle of a push is one of ours.
    if (!facts.wasHead && !facts.asked) throw ci;
    return { ...read, verdict: { action: "wait", because: ci.message }, retryAt: null, unanswered: ci };
  }
  const timedOut = await hasWaitedFor(station, repo, sha, whole.gate.timeout);
  return { ...read, verdict: decide({ ...facts, ci, timedOut }), retryAt: ci.retryAt, unanswered: null };
}

/** From when it began to wait: what it was before, as a commit of a branch that nobody watches, is none of the gate's time. */
async function hasWaitedFor({ ledger }: Station, repo: Repo, sha: Sha, limit: number): Promise<boolean> {
  const delivery = await findDelivery(ledger, repo.id, sha);
  const isWaiting = delivery?.state === "waiting" || delivery?.failedBy === "gate";
  if (delivery === null || delivery.waitingSince === null || !isWaiting) return false;
  // Both by the store's clock: this process's own may be wrong.
  return (await storeTime(ledger)) - delivery.waitingSince > limit;
}

async function ciOf(
  station: Station,
  repo: Repo,
  sha: Sha,
  question: Question,
  foreseen: PrefetchedCi | null,
): Promise<CiAnswer | TransientError> {
  const isForeseen = foreseen !== null && isDeepStrictEqual(foreseen.question, question);
  const [answer] = isForeseen ? [foreseen.answer] : await Promise.allSettled([askCi(station, repo, sha, question)]);
  if (answer.status === "fulfilled") return answer.value;
  if (answer.reason instanceof TransientError) return answer.reason;
  throw answer.reason;
}

async function readPlan(station: Station, repo: Repo, mirror: Mirror, sha: Sha, bounds: RepoBounds) {
  try {
    const text = await mirror.readFile(sha, PIPELINE_FILE, PIPELINE_MAX_BYTES);
    const hasDockerfile = text === null && (await mirror.readFile(sha, "Dockerfile", 1024 * 1024)) !== null;
    const pipeline = text === null ? null : parsePipeline(text, PIPELINE_FILE);
    const planned = planOf({ pipeline, hasDockerfile, repo, bounds, registries: knownRegistries(station) });
    return { plan: "plan" in planned ? planned.plan : planned, error: null };
  } catch (error) {
    if (error instanceof UserError || error instanceof Refused) return { plan: { ignored: error.message }, error };
    throw error;
  }
}

function knownRegistries(station: Station) {
  const entries = Object.entries(station.config.registries);
  return Object.fromEntries(
    entries.map(([key, config]) => {
      const kinds = registryTypes.of(config).kinds(config);
      return [key, { type: config.type, isDefault: config.default, kinds }];
    }),
  );
}

async function wasHead(station: Station, repo: Repo, mirror: Mirror, sha: Sha): Promise<boolean> {
  const current = await mirror.refs();
  if ([...current.values()].includes(sha)) return true;
  return (await headsOf(station.ledger, repo.id, sha)).length > 0;
}

/** The ref whose hint came first leads; then the default branch; then by name, so that every process says the same. */
function inOrderOfHints(refs: string[], hinted: (string | null)[], defaultBranch: string): string[] {
  const rank = (ref: string): number => {
    const place = hinted.indexOf(ref);
    if (place >= 0) return place;
    return ref === BRANCHES + defaultBranch ? hinted.length : hinted.length + 1;
  };
  return [...refs].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

function nothing(action: CommitDecision["action"], because: string): Inspection {
  return {
    verdict: { action, because },
    plan: null,
    badPlan: null,
    refs: [],
    unknown: false,
    retryAt: null,
    unanswered: null,
  };
}
