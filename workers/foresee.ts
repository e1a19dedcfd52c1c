import { matchRepo, watches } from "../src/delivery/bounds.ts";
import type { CiState, Gate, Plan, Repo, Sha } from "../src/delivery/types.ts";
import { type Delivery, listDeliveries } from "../src/ledger/deliveries.ts";
import { hintsOf } from "../src/ledger/hints.ts";
import type { SeenRepo } from "../src/ledger/repos.ts";
import { hostOf } from "./look.ts";
import type { Station } from "./station.ts";
import { type Synced, syncMirror } from "./sync.ts";

/** What the host answered to a question that a look will most likely ask. */
export interface Foreseen {
  gate: Gate;
  branch: string | null;
  answer: PromiseSettledResult<CiState & { because: string; retryAt: number | null }>;
}

/** What a look will most likely find again. */
export interface Likely {
  plan: Plan | null;
  ref: string | null;
}

/**
 * By what an earlier look found at this commit or, of one that is new, at the repo's newest: where no ref that a hint named is watched by that, the
 * host would be asked for nothing.
 * @param before the commit's own delivery
 * @returns null: nothing is foreseen
 */
export async function foresee(
  station: Station,
  known: SeenRepo,
  sha: Sha,
  before: Delivery | null,
): Promise<Likely | null> {
  if (before !== null) return before.state === "waiting" ? before : null;
  const bounds = matchRepo(station.config.repos, known);
  const [newest] = (await listDeliveries(station.ledger, { repoId: known.id, limit: 1 })).items;
  const plan = newest?.plan ?? null;
  if (bounds === null || newest === undefined || plan === null) return null;
  const told = (await hintsOf(station.ledger, known.id, sha)).flatMap(({ ref }) => ref ?? []);
  const watched = told.filter((ref) => watches(plan.on, bounds, ref).watched);
  return told.length > 0 && watched.length === 0 ? null : { plan, ref: watched[0] ?? newest.ref };
}

/**
 * Brings the mirror up, and asks the host for the CI state beside it: by the gate that is likely. `look`
 * sees whether it was that.
 * @param likely null: nothing is asked
 * @throws as syncMirror does
 */
export async function syncAndAsk(
  station: Station,
  known: SeenRepo,
  sha: Sha | null,
  likely: Likely | null,
  signal: AbortSignal,
): Promise<Synced & { ci: Foreseen | null }> {
  // Both to their end: a question that outlives its evaluation would spend of the next one's budget.
  const [synced, ci] = await Promise.allSettled([
    syncMirror(station, known, signal, { expected: sha }),
    sha === null || !likely?.plan ? null : ask(station, known, sha, likely.plan.gate, branchOf(likely.ref)),
  ]);
  if (synced.status === "rejected") throw synced.reason;
  return { ...synced.value, ci: ci.status === "fulfilled" ? ci.value : null };
}

/** The branch whose rules count, by the ref that leads. */
export function branchOf(ref: string | null): string | null {
  return ref?.startsWith("refs/heads/") ? ref.slice("refs/heads/".length) : null;
}

async function ask(
  station: Station,
  known: SeenRepo,
  sha: Sha,
  gate: Gate,
  branch: string | null,
): Promise<Foreseen | null> {
  if (gate.ci === "none") return null;
  const repo: Repo = { ...known, defaultBranch: known.defaultBranch ?? "main" };
  const [answer] = await Promise.allSettled([
    hostOf(station, repo).ciState({ repo, sha }, gate, branch, station.clock.now()),
  ]);
  return { gate, branch, answer };
}
