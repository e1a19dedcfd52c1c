import { matchRepo, watches } from "../../src/delivery/bounds.ts";
import type { Plan, Repo, Sha } from "../../src/delivery/types.ts";
import { type Delivery, listDeliveries } from "../../src/ledger/deliveries.ts";
import type { StoredHint } from "../../src/ledger/hints.ts";
import type { SeenRepo } from "../../src/ledger/repos.ts";
import type { Station } from "../station.ts";
import { askCi, type CiQuestion, type PrefetchedCi, sortedBranches } from "./ask-ci.ts";
import { type Synced, type SyncParts, syncMirror } from "./sync-mirror.ts";

/**
 * Where the gate of a commit is expected to stand: the plan and the watched refs that an inspection will most likely
 * find.
 */
export interface ExpectedGate {
  plan: Plan;
  refs: string[];
}

/**
 * Guesses the gate from what an earlier inspection found at this commit or, of a new commit, at the repo's newest
 * delivery. Where that plan watches no ref that a hint named, the host would not be asked at all.
 * @param before the commit's own delivery
 * @param hints the hints about the commit
 * @returns null: there is no ground for a guess
 */
export async function expectedGate(
  station: Pick<Station, "config" | "ledger" | "mirrors">,
  known: SeenRepo,
  sha: Sha,
  before: Delivery | null,
  hints: StoredHint[],
): Promise<ExpectedGate | null> {
  const bounds = matchRepo(station.config.repos, known);
  if (bounds === null) return null;
  if (before !== null) {
    const { plan, state } = before;
    if (state !== "waiting" || plan === null) return null;
    const held = await station.mirrors.open(known.id).refsContaining(sha);
    return { plan, refs: held.filter((ref) => watches(plan.on, bounds, ref).watched) };
  }
  const [newest] = (await listDeliveries(station.ledger, { repoId: known.id, limit: 1 })).items;
  const plan = newest?.plan ?? null;
  if (newest === undefined || plan === null) return null;
  const hinted = hints.flatMap(({ ref }) => ref ?? []);
  const watched = [...new Set(hinted)].filter((ref) => watches(plan.on, bounds, ref).watched);
  if (hinted.length > 0 && watched.length === 0) return null;
  return { plan, refs: watched.length > 0 || newest.ref === null ? watched : [newest.ref] };
}

/**
 * Brings the mirror up, and asks the host for the CI state at the same time, by the expected gate. `inspect` checks
 * whether the expectation was right.
 * @param expected null: the host is not asked
 * @throws as syncMirror does
 */
export async function syncAndPrefetchCi(
  station: SyncParts & Pick<Station, "clock">,
  known: SeenRepo,
  sha: Sha | null,
  expected: ExpectedGate | null,
  signal: AbortSignal,
): Promise<Synced & { prefetched: PrefetchedCi | null }> {
  // Both to their end: a question that outlives its evaluation would spend of the next one's budget.
  const [synced, ci] = await Promise.allSettled([
    syncMirror(station, known, signal, { expected: sha }),
    sha === null || expected === null
      ? null
      : prefetchCi(station, known, sha, { gate: expected.plan.gate, branches: sortedBranches(expected.refs) }),
  ]);
  if (synced.status === "rejected") throw synced.reason;
  return { ...synced.value, prefetched: ci.status === "fulfilled" ? ci.value : null };
}

async function prefetchCi(
  station: Pick<Station, "hosts" | "clock">,
  known: SeenRepo,
  sha: Sha,
  question: CiQuestion,
): Promise<PrefetchedCi | null> {
  if (question.gate.ci === "none") return null;
  const repo: Repo = { ...known, defaultBranch: known.defaultBranch ?? "main" };
  const [answer] = await Promise.allSettled([askCi(station, repo, sha, question)]);
  return { question, answer };
}
