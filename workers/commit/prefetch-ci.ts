import { matchRepo, watches } from "../../src/delivery/bounds.ts";
import type { Plan, Repo, Sha } from "../../src/delivery/types.ts";
import { type Delivery, listDeliveries } from "../../src/ledger/deliveries.ts";
import { hintsOf } from "../../src/ledger/hints.ts";
import type { SeenRepo } from "../../src/ledger/repos.ts";
import type { Station } from "../station.ts";
import { askCi, branchesOf, type PrefetchedCi, type Question } from "./ask-ci.ts";
import { type Synced, syncMirror } from "./sync-mirror.ts";

/** What a look will most likely find again. */
export interface Likely {
  plan: Plan | null;
  refs: string[];
}

/**
 * By what an earlier look found at this commit or, of one that is new, at the repo's newest: where no ref that a hint named is watched by that, the
 * host would be asked for nothing.
 * @param before the commit's own delivery
 * @returns null: nothing is foreseen
 */
export async function likelyFindings(
  station: Station,
  known: SeenRepo,
  sha: Sha,
  before: Delivery | null,
): Promise<Likely | null> {
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
  const told = (await hintsOf(station.ledger, known.id, sha)).flatMap(({ ref }) => ref ?? []);
  const watched = [...new Set(told)].filter((ref) => watches(plan.on, bounds, ref).watched);
  if (told.length > 0 && watched.length === 0) return null;
  return { plan, refs: watched.length > 0 || newest.ref === null ? watched : [newest.ref] };
}

/**
 * Brings the mirror up, and asks the host for the CI state beside it: by the gate that is likely. `look`
 * sees whether it was that.
 * @param likely null: nothing is asked
 * @throws as syncMirror does
 */
export async function syncAndPrefetchCi(
  station: Station,
  known: SeenRepo,
  sha: Sha | null,
  likely: Likely | null,
  signal: AbortSignal,
): Promise<Synced & { ci: PrefetchedCi | null }> {
  // Both to their end: a question that outlives its evaluation would spend of the next one's budget.
  const [synced, ci] = await Promise.allSettled([
    syncMirror(station, known, signal, { expected: sha }),
    sha === null || !likely?.plan
      ? null
      : prefetchCi(station, known, sha, { gate: likely.plan.gate, branches: branchesOf(likely.refs) }),
  ]);
  if (synced.status === "rejected") throw synced.reason;
  return { ...synced.value, ci: ci.status === "fulfilled" ? ci.value : null };
}

async function prefetchCi(
  station: Station,
  known: SeenRepo,
  sha: Sha,
  question: Question,
): Promise<PrefetchedCi | null> {
  if (question.gate.ci === "none") return null;
  const repo: Repo = { ...known, defaultBranch: known.defaultBranch ?? "main" };
  const [answer] = await Promise.allSettled([askCi(station, repo, sha, question)]);
  return { question, answer };
}
