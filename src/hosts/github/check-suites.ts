import * as z from "zod";
import type { Check } from "../../delivery/types.ts";
import { time } from "../payload.ts";
import { readAnswer } from "./payload.ts";
import { app, stateOf, wasInterrupted, wordOf, worstOfEach } from "./states.ts";

/** GitHub creates a suite of this app only for a workflow run. */
export const ACTIONS = "github-actions";

/** GitHub cancels a queued job after 24 to 48 hours. A suite that has not changed for so long will not run. */
const NEVER_BEGINS_AFTER_MS = 48 * 3_600_000;

const checkSuite = z
  .object({
    id: z.number(),
    status: z.string().nullish(),
    conclusion: z.string().nullish(),
    head_branch: z.string().nullish(),
    latest_check_runs_count: z.number(),
    created_at: time.nullish(),
    updated_at: time.nullish(),
    app,
  })
  .transform((suite) => ({
    id: suite.id,
    ...suite.app,
    /** Short; null where GitHub does not say. */
    branch: suite.head_branch ?? null,
    hasEnded: suite.status === "completed",
    word: wordOf(suite.status, suite.conclusion),
    runs: suite.latest_check_runs_count,
    at: suite.updated_at ?? suite.created_at ?? 0,
  }));

export type Suite = z.output<typeof checkSuite>;

/** @throws TransientError where the items have another shape. */
export function readSuites(items: unknown[]): Suite[] {
  return readAnswer("a check suite", checkSuite, items);
}

export interface SuiteView {
  /** Slugs of the apps that the gate names; null: none is named. */
  apps: string[] | null;
  /** ms since the epoch, by GitHub's clock. */
  now: number;
}

/**
 * One check for each app with a suite that says more than its runs do: jobs are still to come, or none could start.
 * Pure.
 * @param withRuns ids of the suites that have a run in GitHub's list
 */
export function checksOfSuites(suites: Suite[], withRuns: ReadonlySet<number | null>, view: SuiteView): Check[] {
  const counted = suites.filter((suite) =>
    withRuns.has(suite.id) ? countsBesideRuns(suite, view) : countsAlone(suite, suites, view),
  );
  // Another suite of the app may still replace an interrupted one.
  const runningApps = new Set(counted.flatMap(({ app, hasEnded }) => (hasEnded ? [] : [app])));
  return worstOfEach(
    counted.filter((suite) => !(wasInterrupted(suite.word) && runningApps.has(suite.app))).map(checkOf),
  );
}

/**
 * The runs of a suite replace its own conclusion. An unfinished suite of Actions counts: a job that `needs` another one
 * has no run until that has ended. A queued suite of another app does not: somebody asked for a re-run, or it is stuck.
 */
function countsBesideRuns(suite: Suite, { now }: SuiteView): boolean {
  if (suite.hasEnded) return suite.word === "startup_failure";
  return (suite.app === ACTIONS || suite.word !== "queued") && mayBegin(suite, now);
}

function countsAlone(suite: Suite, suites: Suite[], { apps, now }: SuiteView): boolean {
  if (isIdle(suite, apps)) return false;
  if (!suite.hasEnded) return mayBegin(suite, now);
  return stateOf(suite.word) !== "passed" && !suites.some((other) => replaces(other, suite, suites));
}

function mayBegin(suite: Suite, now: number): boolean {
  return now - suite.at < NEVER_BEGINS_AFTER_MS;
}

/**
 * At every push GitHub creates a suite for each app that may write checks. If the app reports no run, the suite stays
 * queued for ever, or becomes stale. Only Actions, and the apps that the gate names, are known to report.
 */
function isIdle(suite: Suite, apps: string[] | null): boolean {
  if (suite.app === ACTIONS || (suite.app !== null && apps?.includes(suite.app)) || suite.runs > 0) return false;
  return suite.word === "queued" || suite.word === "stale";
}

/**
 * A suite that was interrupted before it had a run has no job names to compare. A push to another branch replaces it if
 * at least as many suites of that push have a verdict, so that no workflow is missing there.
 */
function replaces(other: Suite, suite: Suite, suites: Suite[]): boolean {
  if (!wasInterrupted(suite.word) || !hasVerdict(other) || other.app !== suite.app) return false;
  const isElsewhere = other.branch !== null && suite.branch !== null && other.branch !== suite.branch;
  const on = (branch: string | null) => suites.filter((each) => each.app === suite.app && each.branch === branch);
  return isElsewhere && on(other.branch).filter(hasVerdict).length >= on(suite.branch).length;
}

function hasVerdict({ hasEnded, word }: Suite): boolean {
  return hasEnded && !wasInterrupted(word) && word !== "skipped";
}

function checkOf({ app, appId, word, at }: Suite): Check {
  return { name: app ?? "unnamed", source: "check-suite", state: stateOf(word), app, appId, detail: word, at };
}
