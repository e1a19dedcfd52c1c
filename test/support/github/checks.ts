import {
  type App,
  actions,
  type CheckRun,
  type CheckSuite,
  type CommitChecks,
  type RunConclusion,
  type RunStatus,
} from "./state.ts";

export interface NewCheckRun {
  name: string;
  status?: RunStatus;
  /** Left out: `success` where the status is `completed`, else none. */
  conclusion?: RunConclusion | null;
  app?: App;
  /** Changes this very run. Left out: the newest unfinished one of that name and app, else a new one, as a re-run makes. */
  id?: number;
}

/** Sets a run as CI would, and gives it. An app has one suite per commit, made with its first run. */
export function putCheckRun(checks: CommitChecks, wanted: NewCheckRun, nextId: () => number, now: string): CheckRun {
  const app = wanted.app ?? actions;
  const status = wanted.status ?? "completed";
  const suite = checks.suites.find((one) => one.app.id === app.id) ?? addSuite(checks, app, "queued", nextId(), now);
  const same = checks.runs.filter((run) => run.name === wanted.name && run.app.id === app.id);
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

export function addSuite(checks: CommitChecks, app: App, status: RunStatus, id: number, now: string): CheckSuite {
  const suite: CheckSuite = { id, app, status, createdAt: now };
  checks.suites.push(suite);
  return suite;
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
): { status: RunStatus; conclusion: RunConclusion | null; count: number } {
  const latest = latestRuns(runs.filter((run) => run.suiteId === suite.id));
  if (latest.length === 0) return { status: suite.status, conclusion: null, count: 0 };
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
