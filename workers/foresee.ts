import type { CiState, Gate, Plan, Repo, Sha } from "../src/delivery/types.ts";
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

/**
 * Brings the mirror up, and asks the host for the CI state beside it: by the gate that an earlier look found, which at the
 * same commit is nearly always the same again. `look` sees whether it was.
 * @param before what the earlier look found; null: there was none, and nothing is asked
 * @throws as syncMirror does
 */
export async function syncAndAsk(
  station: Station,
  known: SeenRepo,
  sha: Sha | null,
  before: { plan: Plan | null; ref: string | null } | null,
  signal: AbortSignal,
): Promise<Synced & { ci: Foreseen | null }> {
  // Both to their end: a question that outlives its evaluation would spend of the next one's budget.
  const [synced, ci] = await Promise.allSettled([
    syncMirror(station, known, signal, { expected: sha }),
    sha === null || !before?.plan ? null : ask(station, known, sha, before.plan.gate, branchOf(before.ref)),
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
