import { settleAll } from "../../async/settle-all.ts";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { Check, CommitRef, Gate } from "../../delivery/types.ts";
import { Declined, type GitHubApi } from "./api.ts";
import { checksOfRuns, type Run, readRuns } from "./check-runs.ts";
import { checksOfSuites, readSuites, type Suite, type SuiteView } from "./check-suites.ts";
import { withoutOwn } from "./own-runs.ts";
import { checksOfStatuses } from "./statuses.ts";

/** GitHub's lists for one commit. */
export interface CommitResults {
  statuses: unknown[];
  runs: Run[];
  suites: Suite[];
}

/**
 * The checks that count.
 * @param hostNow as of CiReader
 * @param ownApp the id of the App that deliverd reports as; null: it reports statuses
 * @throws TransientError, Refused if the commit is gone
 */
export async function readChecks(
  api: GitHubApi,
  commit: CommitRef,
  gate: Gate,
  hostNow: () => number,
  ownApp: number | null = null,
): Promise<Check[]> {
  const results = withoutOwn(await readCommitResults(api, commit), ownApp);
  return checksOf(results, { apps: gate.apps, now: hostNow() });
}

/** All that GitHub reports for a commit. @throws TransientError, Refused if the commit is gone */
async function readCommitResults(api: GitHubApi, { repo, sha }: CommitRef): Promise<CommitResults> {
  const at = { owner: repo.owner, repo: repo.name, ref: sha };
  try {
    const [statuses, runs, suites] = await settleAll([
      api.list("GET /repos/{owner}/{repo}/commits/{ref}/statuses", at),
      api.list("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", { ...at, filter: "latest" }),
      api.list("GET /repos/{owner}/{repo}/commits/{ref}/check-suites", at),
    ]);
    return { statuses, runs: readRuns(runs), suites: readSuites(suites) };
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    if (error.status === 422) {
      throw new Refused("commit-gone", `GitHub has no commit ${sha} in ${repo.owner}/${repo.name}: ${error.message}`);
    }
    throw new TransientError(
      "github-ci-unreadable",
      `GitHub does not show the CI results of ${repo.owner}/${repo.name} (${error.status}, ${error.message}): check that the ` +
        `token or App of host '${repo.host}' may read its checks and commit statuses.`,
    );
  }
}

/** The checks that count, without our own. @throws TransientError if a status has another shape */
export function checksOf({ statuses, runs, suites }: CommitResults, view: SuiteView): Check[] {
  const appIds = new Map(
    [...suites, ...runs].flatMap(({ app, appId }) => (app === null || appId === null ? [] : [[app, appId] as const])),
  );
  const bySuites = checksOfSuites(suites, new Set(runs.map((run) => run.suite)), view);
  const runningApps = new Set(bySuites.flatMap(({ app, state }) => (state === "pending" ? [app] : [])));
  return [...checksOfStatuses(statuses, appIds), ...checksOfRuns(runs, suites, runningApps), ...bySuites];
}
