import { settleAll } from "../../async/settle-all.ts";
import { judge } from "../../delivery/gate.ts";
import type { CiState, CommitRef, Gate } from "../../delivery/types.ts";
import type { GitHubApi } from "./api.ts";
import { checksOf, readCommitResults } from "./checks.ts";
import { readRequired } from "./required.ts";

export interface CiQuestion {
  commit: CommitRef;
  gate: Gate;
  /** Short names of the branches that contain the commit. */
  branches: readonly string[];
  /** ms since the epoch. */
  now: number;
}

/** The CI state of a commit by the gate. @throws TransientError, Refused if the commit is gone */
export async function readCiState(
  api: GitHubApi,
  { commit, gate, branches, now }: CiQuestion,
): Promise<CiState & { because: string; retryAt: number | null }> {
  if (gate.ci === "none") return judge([], gate, { hostRequired: null, now });
  const asksHost = gate.required.length === 0;
  const [reported, hostRequired] = await settleAll([
    readCommitResults(api, commit),
    asksHost ? readRequired(api, commit, branches) : null,
  ]);
  // The times of checks are by GitHub's clock, and ours may be hours off.
  const ahead = api.clockAhead();
  const hostNow = now + ahead;
  const checks = checksOf(reported, { apps: gate.apps, now: hostNow });
  const judged = judge(checks, gate, { hostRequired, now: hostNow });
  return { ...judged, retryAt: judged.retryAt === null ? null : judged.retryAt - ahead };
}
