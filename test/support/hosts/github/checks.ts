import {
  type App,
  actions,
  type CheckRun,
  type CheckSuite,
  type CommitChecks,
  type RunConclusion,
  type RunStatus,
  type SuiteConclusion,
} from "./state.ts";

export interface NewCheckRun {
  name: string;
  status?: RunStatus;
  /** Left out: `success` where the status is `completed`, else none. */
  conclusion?: RunConclusion | null;
  app?: App;
  /** The id of its suite. Left out: the app's first. */
  suite?: number;
  /** Changes this very run. Left out: the newest unfinished one of that name and app, else a new one, as a re-run makes. */
  id?: number;
}

/** Left out: of Actions, for the default branch, queued. */
export interface NewSuite {
  app?: App;
  branch?: string;
  status?: RunStatus;
  conclusion?: SuiteConclusion;
}

/** What a suite or a run is made with: how it gets its id, when, and for which branch where nobody says. */
export interface Making {
  nextId(): number;
  now: string;
  branch: string;
}

/**
 * Sets a run as CI would, and gives it. An app has one suite, made with its first run, unless the test made more: Actions has
 * one for each run of a workflow. @throws Error for what GitHub would not do: a mistake of the test's own.
 */
export function putCheckRun(checks: CommitChecks, wanted: NewCheckRun, making: Making): CheckRun {
  const { nextId, now } = making;
  const app = wanted.app ?? actions;
  const status = wanted.status ?? "completed";
  assertStatusOf(app, status);
  const suite =
    checks.suites.find((one) => (wanted.suite === undefined ? one.app.id === app.id : one.id === wanted.suite)) ??
    addSuite(checks, { app }, making);
  if (suite.app.id !== app.id) throw new Error(`suite ${suite.id} is of ${suite.app.slug}, not of ${app.slug}`);
  const same = checks.runs.filter(
    (run) => run.name === wanted.name && run.app.id === app.id && (wanted.suite ?? run.suiteId) === run.suiteId,
  );
  const existing =
    wanted.id === undefined
      ? same.findLast((run) => run.status !== "completed")
      : checks.runs.find((run) => run.id === wanted.id);
  const run: CheckRun = existing ?? {
    id: wanted.id ?? nextId(),
    name: wanted.name,
    status,
    conclusion: null,
    app,
    suiteId: suite.id,
    startedAt: now,
    completedAt: null,
  };
  if (!existing) checks.runs.push(run);
  run.status = status;
  run.conclusion = status === "completed" ? (wanted.conclusion ?? "success") : null;
  run.completedAt = status === "completed" ? now : null;
  return run;
}

/** @throws Error for what GitHub would not do: a mistake of the test's own. */
export function addSuite(checks: CommitChecks, wanted: NewSuite, making: Making): CheckSuite {
  const { app = actions, branch = making.branch, status = "queued", conclusion = null } = wanted;
  assertStatusOf(app, status);
  if ((status === "completed") !== (conclusion !== null))
    throw new Error("a suite has a conclusion once it is completed");
  const suite: CheckSuite = { id: making.nextId(), app, branch, status, conclusion, createdAt: making.now };
  checks.suites.push(suite);
  return suite;
}

/** https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-checks#about-check-suites */
function assertStatusOf(app: App, status: RunStatus): void {
  if (app.id !== actions.id && ["requested", "waiting", "pending"].includes(status)) {
    throw new Error(`only GitHub Actions can set the status ${status}`);
  }
}

/** Of re-runs the newest alone: what GitHub lists under `filter=latest` and counts in a suite. */
export function latestRuns(runs: CheckRun[]): CheckRun[] {
  return runs.filter(
    (run) => !runs.some((other) => other.name === run.name && other.suiteId === run.suiteId && other.id > run.id),
  );
}

/** A suite says what its newest runs come to; the worst of them gives its conclusion. */
export function suiteResult(
  suite: CheckSuite,
  runs: CheckRun[],
): { status: RunStatus; conclusion: SuiteConclusion | null; count: number } {
  const latest = latestRuns(runs.filter((run) => run.suiteId === suite.id));
  if (latest.length === 0) return { status: suite.status, conclusion: suite.conclusion, count: 0 };
  const unfinished = latest.filter((run) => run.status !== "completed");
  if (unfinished.length > 0) {
    const queued = unfinished.length === latest.length && unfinished.every((run) => run.status === "queued");
    return { status: queued ? "queued" : "in_progress", conclusion: null, count: latest.length };
  }
  const worstFirst: RunConclusion[] = [
    "failure",
    "timed_out",
    "cancelled",
    "action_required",
    "success",
    "neutral",
    "skipped",
  ];
  const conclusion = worstFirst.find((one) => latest.some((run) => run.conclusion === one)) ?? "success";
  return { status: "completed", conclusion, count: latest.length };
}
