import { z } from "zod";
import { Refused, TransientError } from "../../delivery/errors.ts";
import { judge } from "../../delivery/gate.ts";
import type { Check, CheckState, CiState, CommitRef, Gate } from "../../delivery/types.ts";
import { Declined, type GitHubApi } from "./api.ts";
import { isOwnContext } from "./own-context.ts";
import { firstIssue } from "./payload.ts";

export interface Question {
  commit: CommitRef;
  gate: Gate;
  /** Short; null where no branch is concerned. */
  branch: string | null;
  /** ms since the epoch. */
  now: number;
}

/** What GitHub reports at exactly that sha, judged by the gate. @throws TransientError, Refused where the commit is gone. */
export async function readCiState(
  api: GitHubApi,
  { commit, gate, branch, now }: Question,
): Promise<CiState & { because: string; retryAt: number | null }> {
  if (gate.ci === "none") return judge([], gate, { hostRequired: null, now });
  const asksHost = gate.required.length === 0 && branch !== null;
  const [checks, hostRequired] = await Promise.all([
    readChecks(api, commit),
    asksHost ? readRequired(api, commit, branch) : null,
  ]);
  return judge(checks, gate, { hostRequired, now });
}

async function readChecks(api: GitHubApi, { repo, sha }: CommitRef): Promise<Check[]> {
  const at = { owner: repo.owner, repo: repo.name, ref: sha };
  try {
    const [statuses, runs, suites] = await Promise.all([
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

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

const status = z.object({ id: z.number(), context: z.string(), state: z.string(), updated_at: time });

/** The newest status of each context; ours left out. Pure. */
export function fromStatuses(items: unknown[]): Check[] {
  const newest = new Map<string, z.output<typeof status>>();
  for (const item of read("a commit status", status, items)) {
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
      detail: item.state,
      at: item.updated_at,
    }));
}

function isNewer(a: { id: number; updated_at: number }, b: { id: number; updated_at: number }): boolean {
  // Times have whole seconds, ids rise.
  return a.updated_at === b.updated_at ? a.id > b.id : a.updated_at > b.updated_at;
}

const app = z
  .object({ slug: z.string() })
  .nullish()
  .transform((value) => value?.slug ?? null);

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
 * The newest run of each name in its suite. The same name in two suites is two checks, as where one workflow runs for the
 * push and one for the pull request: neither may hide the other's failure. Pure.
 */
export function fromCheckRuns(items: unknown[]): Check[] {
  const newest = new Map<string, z.output<typeof checkRun>>();
  for (const run of read("a check run", checkRun, items)) {
    const key = JSON.stringify([run.app, run.check_suite?.id, run.name]);
    const before = newest.get(key);
    if (before === undefined || run.id > before.id) newest.set(key, run);
  }
  return [...newest.values()].map((run) => {
    const detail = run.status === "completed" ? (run.conclusion ?? "") : run.status;
    const at = run.completed_at ?? run.started_at ?? 0;
    return { name: run.name, source: "check-run", state: stateOf(detail), app: run.app, detail, at };
  });
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
  return read("a check suite", checkSuite, items)
    .filter((suite) => suite.status !== "completed" && suite.latest_check_runs_count > 0)
    .map((suite) => ({
      name: suite.app ?? "check suite",
      source: "check-suite",
      state: "pending",
      app: suite.app,
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

const requiredChecks = z.object({
  contexts: z.array(z.string()).nullish(),
  checks: z.array(z.object({ context: z.string() })).nullish(),
});
const branchShape = z.object({
  protected: z.boolean().nullish(),
  protection: z.object({ required_status_checks: requiredChecks.nullish() }).nullish(),
});
const ruleShape = z.object({ type: z.string() });
const checksRule = z.object({
  parameters: z.object({ required_status_checks: z.array(z.object({ context: z.string() })) }),
});

/** The checks that GitHub requires on that branch; null where it requires none or does not tell. */
async function readRequired(api: GitHubApi, { repo }: CommitRef, branch: string): Promise<string[] | null> {
  const at = { owner: repo.owner, repo: repo.name, branch };
  const [byProtection, byRules] = await Promise.all([requiredByProtection(api, at), requiredByRules(api, at)]);
  const names = new Set([...byProtection, ...byRules]);
  return names.size === 0 ? null : [...names];
}

type BranchRef = { owner: string; repo: string; branch: string };

async function requiredByProtection(api: GitHubApi, at: BranchRef): Promise<string[]> {
  const [told] = read("a branch", branchShape, [
    await unlessDeclined(api.get("GET /repos/{owner}/{repo}/branches/{branch}", at), {}),
  ]);
  const names = contextsOf(told?.protection?.required_status_checks);
  if (names.length > 0 || told?.protected !== true) return names;
  const route = "GET /repos/{owner}/{repo}/branches/{branch}/protection/required_status_checks";
  const [asked] = read("required status checks", requiredChecks, [await unlessDeclined(api.get(route, at), {})]);
  return contextsOf(asked);
}

async function requiredByRules(api: GitHubApi, at: BranchRef): Promise<string[]> {
  const rules = await unlessDeclined(api.list("GET /repos/{owner}/{repo}/rules/branches/{branch}", at), []);
  const wanted = rules.filter((rule) => read("a branch rule", ruleShape, [rule])[0]?.type === "required_status_checks");
  return read("a rule of required status checks", checksRule, wanted).flatMap((rule) =>
    rule.parameters.required_status_checks.map((check) => check.context),
  );
}

function contextsOf(required: z.output<typeof requiredChecks> | null | undefined): string[] {
  return [...(required?.contexts ?? []), ...(required?.checks ?? []).map((check) => check.context)];
}

/** A token without the right to see protection, a plan without rules, a branch that is gone: the host does not tell. */
async function unlessDeclined<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Declined) return otherwise;
    throw error;
  }
}

function read<T>(what: string, shape: z.ZodType<T>, items: unknown[]): T[] {
  const result = z.array(shape).safeParse(items);
  if (result.success) return result.data;
  throw new TransientError("github-answer-unusable", `GitHub's answer is not ${what}: ${firstIssue(result.error)}.`);
}
