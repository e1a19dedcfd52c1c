import * as z from "zod";
import type { Check } from "../../delivery/types.ts";
import { readAnswer } from "./payload.ts";
import { app, isCutShort, stateOf, time, wordOf, worstOfEach } from "./words.ts";

/** GitHub makes a suite of this app for a run of a workflow, and for nothing else. */
export const ACTIONS = "github-actions";

/** GitHub cancels a job that no runner has taken for 24 to 48 hours: what has not begun by then does not begin. */
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
 * One check for each app whose suites still say something beside their runs: jobs are to come, or none could begin. Pure.
 * @param withRuns the ids of the suites of which a run is listed
 */
export function checksOfSuites(suites: Suite[], withRuns: ReadonlySet<number | null>, view: SuiteView): Check[] {
  const speaking = suites.filter((suite) =>
    withRuns.has(suite.id) ? speaksBesideRuns(suite, view) : speaksAlone(suite, suites, view),
  );
  // What stands for a suite that was cut short may be to come.
  const toCome = new Set(speaking.flatMap(({ app, hasEnded }) => (hasEnded ? [] : [app])));
  return worstOfEach(speaking.filter((suite) => !(isCutShort(suite.word) && toCome.has(suite.app))).map(checkOf));
}

/**
 * Of a suite that has runs the conclusion is theirs. A job of Actions that needs another one has no run before that has
 * ended; another app's suite is queued beside its runs when somebody asked for a re-run, which may never come.
 */
function speaksBesideRuns(suite: Suite, { now }: SuiteView): boolean {
  if (suite.hasEnded) return suite.word === "startup_failure";
  return (suite.app === ACTIONS || suite.word !== "queued") && mayBegin(suite, now);
}

function speaksAlone(suite: Suite, suites: Suite[], { apps, now }: SuiteView): boolean {
  if (isIdle(suite, apps)) return false;
  if (!suite.hasEnded) return mayBegin(suite, now);
  return stateOf(suite.word) !== "passed" && !suites.some((other) => standsFor(other, suite, suites));
}

function mayBegin(suite: Suite, now: number): boolean {
  return now - suite.at < NEVER_BEGINS_AFTER_MS;
}

/**
 * At every push GitHub makes a suite for each app that may write checks; where the app then makes no run, it stays queued
 * for ever or becomes stale. Only Actions, or an app that the gate names, is known to follow.
 */
function isIdle(suite: Suite, apps: string[] | null): boolean {
  if (suite.app === ACTIONS || (suite.app !== null && apps?.includes(suite.app)) || suite.runs > 0) return false;
  return suite.word === "queued" || suite.word === "stale";
}

/**
 * A suite that was cancelled before it had a job has no name to be found again by. What was pushed to another branch
 * stands for it if as many suites of that push came to a verdict: then no workflow of the first is missing there.
 */
function standsFor(other: Suite, suite: Suite, suites: Suite[]): boolean {
  if (!isCutShort(suite.word) || !hasVerdict(other) || other.app !== suite.app) return false;
  const isElsewhere = other.branch !== null && suite.branch !== null && other.branch !== suite.branch;
  const on = (branch: string | null) => suites.filter((each) => each.app === suite.app && each.branch === branch);
  return isElsewhere && on(other.branch).filter(hasVerdict).length >= on(suite.branch).length;
}

function hasVerdict({ hasEnded, word }: Suite): boolean {
  return hasEnded && !isCutShort(word) && word !== "skipped";
}

function checkOf({ app, appId, word, at }: Suite): Check {
  return { name: app ?? "unnamed", source: "check-suite", state: stateOf(word), app, appId, detail: word, at };
}
