import * as z from "zod";
import { Refused, TransientError } from "../../delivery/errors.ts";
import type { Check, CheckState, CommitRef } from "../../delivery/types.ts";
import { together } from "../../together.ts";
import { Declined, type GitHubApi } from "./api.ts";
import { isOwnContext } from "./own-context.ts";
import { readAnswer } from "./payload.ts";

/** All that GitHub reports at exactly that sha, ours left out. @throws TransientError, Refused where the commit is gone. */
export async function readChecks(api: GitHubApi, { repo, sha }: CommitRef): Promise<Check[]> {
  const at = { owner: repo.owner, repo: repo.name, ref: sha };
  try {
    const [statuses, runs, suites] = await together([
      api.list("GET /repos/{owner}/{repo}/commits/{ref}/statuses", at),
      api.list("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", { ...at, filter: "latest" }),
      api.list("GET /repos/{owner}/{repo}/commits/{ref}/check-suites", at),
    ]);
    return [...fromStatuses(statuses), ...fromCheckRuns(runs), ...fromCheckSuites(suites)];
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    if (error.status === 422) {
      throw new Refused("commit-gone", `GitHub has no commit ${sha} in ${repo.owner}/${repo.name}: ${error.message}`);
    }
    throw new TransientError(
      "github-ci-unreadable",
      `GitHub does not show the CI results of ${repo.owner}/${repo.name} (${error.status}, ${error.message}): check that the ` +
        `token of host '${repo.host}' may read its checks and commit statuses.`,
    );
  }
}

const time = z.string().transform(Date.parse).pipe(z.number());

const status = z.object({
  id: z.number(),
  context: z.string(),
  state: z.string(),
  updated_at: time,
  creator: z.object({ type: z.string() }).nullish(),
});

/** The newest status of each context; ours left out. Pure. */
export function fromStatuses(items: unknown[]): Check[] {
  const newest = new Map<string, z.output<typeof status>>();
  for (const item of readAnswer("a commit status", status, items)) {
    const key = item.context.toLowerCase();
    const before = newest.get(key);
    if (before === undefined || isNewer(item, before)) newest.set(key, item);
  }
  return [...newest.values()]
    .filter((item) => !isOwnContext(item.context))
    .map((item) => ({
      name: item.context,
      source: "status",
      state: stateOf(item.state),
      app: null,
      // An app's status is its bot's: GitHub does not say which app that is.
      ...(item.creator?.type === "Bot" ? {} : { appId: null }),
      detail: item.state,
      at: item.updated_at,
    }));
}

function isNewer(a: { id: number; updated_at: number }, b: { id: number; updated_at: number }): boolean {
  // Times have whole seconds, ids rise.
  return a.updated_at === b.updated_at ? a.id > b.id : a.updated_at > b.updated_at;
}

const app = z
  .object({ id: z.number().nullish(), slug: z.string() })
  .nullish()
  .transform((value) => ({ app: value?.slug ?? null, appId: value?.id ?? null }));

const checkRun = z.object({
  id: z.number(),
  name: z.string(),
  status: z.string(),
  conclusion: z.string().nullish(),
  started_at: time.nullish(),
  completed_at: time.nullish(),
  app,
  check_suite: z.object({ id: z.number() }).nullish(),
});

/**
 * One check for each app and name. In one suite the newest run counts: the others are what was run before. Of several
 * suites the worst counts, as where one workflow runs for the push and for the pull request: neither may hide the other's
 * failure. Pure.
 */
export function fromCheckRuns(items: unknown[]): Check[] {
  const newest = new Map<string, z.output<typeof checkRun>>();
  for (const run of readAnswer("a check run", checkRun, items)) {
    const key = JSON.stringify([run.app.app, run.check_suite?.id, run.name]);
    const before = newest.get(key);
    if (before === undefined || run.id > before.id) newest.set(key, run);
  }
  const worst = new Map<string, Check>();
  for (const run of newest.values()) {
    const check = fromCheckRun(run);
    const key = JSON.stringify([check.app, check.name]);
    const before = worst.get(key) ?? check;
    const [first = check] = [before, check].sort((a, b) => BADNESS[b.state] - BADNESS[a.state]);
    worst.set(key, { ...first, at: Math.max(before.at, check.at) });
  }
  return [...worst.values()];
}

const BADNESS: Record<CheckState, number> = { passed: 0, pending: 1, failed: 2 };

function fromCheckRun(run: z.output<typeof checkRun>): Check {
  const detail = run.status === "completed" ? (run.conclusion ?? "") : run.status;
  const at = run.completed_at ?? run.started_at ?? 0;
  return { name: run.name, source: "check-run", state: stateOf(detail), ...run.app, detail, at };
}

const checkSuite = z.object({
  status: z.string().nullish(),
  latest_check_runs_count: z.number(),
  updated_at: time.nullish(),
  app,
});

/**
 * Suites that still run. A completed one says nothing that its runs do not say, and one without runs belongs to an app
 * that is installed and does nothing here: GitHub leaves it queued for ever. Pure.
 */
export function fromCheckSuites(items: unknown[]): Check[] {
  return readAnswer("a check suite", checkSuite, items)
    .filter((suite) => suite.status !== "completed" && suite.latest_check_runs_count > 0)
    .map((suite) => ({
      name: suite.app.app ?? "check suite",
      source: "check-suite",
      state: "pending",
      ...suite.app,
      detail: suite.status ?? "queued",
      at: suite.updated_at ?? 0,
    }));
}

const PASSED = new Set(["success", "neutral", "skipped"]);
const PENDING = new Set(["queued", "in_progress", "pending", "waiting", "requested"]);

/** Whatever GitHub may invent is not green: failure, error, cancelled, timed_out, action_required, stale, startup_failure. */
function stateOf(detail: string): CheckState {
  if (PASSED.has(detail)) return "passed";
  return PENDING.has(detail) ? "pending" : "failed";
}
