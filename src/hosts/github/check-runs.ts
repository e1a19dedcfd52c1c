import * as z from "zod";
import type { Check } from "../../delivery/types.ts";
import { time } from "../payload.ts";
import type { Suite } from "./check-suites.ts";
import { readAnswer } from "./payload.ts";
import { app, stateOf, wasInterrupted, wordOf, worstOfEach } from "./states.ts";

const checkRun = z
  .object({
    id: z.number(),
    name: z.string(),
    status: z.string(),
    conclusion: z.string().nullish(),
    started_at: time.nullish(),
    completed_at: time.nullish(),
    app,
    check_suite: z.object({ id: z.number() }).nullish(),
    html_url: z.string().nullish(),
  })
  .transform((run) => ({
    id: run.id,
    name: run.name,
    ...run.app,
    suite: run.check_suite?.id ?? null,
    word: wordOf(run.status, run.conclusion),
    startedAt: run.started_at ?? null,
    endedAt: run.completed_at ?? null,
    url: run.html_url ?? null,
  }));

export type Run = z.output<typeof checkRun>;

/** @throws TransientError where the items have another shape. */
export function readRuns(items: unknown[]): Run[] {
  return readAnswer("a check run", checkRun, items);
}

/**
 * One check for each app and name. Within a suite the newest run counts: the older ones were re-run. Across suites the
 * worst run counts: GitHub does not say which workflow a run belongs to, and one workflow must not hide the failure of
 * another. An interrupted run says nothing about the commit: a run that replaces it counts instead. Pure.
 * @param runningApps apps that will report more runs: an interrupted run of theirs may still be replaced, so it is
 *   pending
 */
export function checksOfRuns(
  runs: Run[],
  suites: Suite[],
  runningApps: ReadonlySet<string | null> = new Set(),
): Check[] {
  const newest = new Map<string, Run>();
  for (const run of runs) {
    const key = JSON.stringify([run.app, run.suite, run.name]);
    const before = newest.get(key);
    if (before === undefined || run.id > before.id) newest.set(key, run);
  }
  const all = [...newest.values()];
  const places = placesOf(all, suites);
  const counted = all.filter((run) => !wasInterrupted(run.word) || !isReplaced(run, all, places));
  return worstOfEach(counted.map((run) => checkOf(run, wasInterrupted(run.word) && runningApps.has(run.app))));
}

interface Place {
  /** The branch that the suite was made for. */
  branch: string | null;
  hasEnded: boolean;
  /** Of its runs. */
  names: Set<string>;
}

/** By the id of the suite. */
type Places = ReadonlyMap<number | null, Place>;

function placesOf(runs: Run[], suites: Suite[]): Places {
  const known = new Map(suites.map((suite) => [suite.id, suite]));
  const places = new Map<number | null, Place>();
  for (const { suite: id, name } of runs) {
    const { branch = null, hasEnded = true } = (id === null ? undefined : known.get(id)) ?? {};
    const place = places.get(id) ?? { branch, hasEnded, names: new Set<string>() };
    places.set(id, place);
    place.names.add(name);
  }
  return places;
}

/**
 * Whether another run of the same job replaces the interrupted `run`. That run either started after `run` had ended, as
 * in a `concurrency` group, or belongs to a push to another branch in which the job ran in at least as many suites, so
 * that no workflow is missing there. Workflows that run side by side match neither condition. The other suite must also
 * contain every job of this suite: a workflow has the same jobs each time.
 */
function isReplaced(run: Run, all: Run[], places: Places): boolean {
  const here = places.get(run.suite);
  const sameJob = all.filter((other) => other.app === run.app && other.name === run.name);
  const branchOf = (other: Run) => places.get(other.suite)?.branch ?? null;
  const onBranch = (branch: string | null) => sameJob.filter((other) => branchOf(other) === branch);
  return sameJob.filter(isVerdict).some((other) => {
    const there = places.get(other.suite);
    if (here === undefined || there === undefined || other.suite === run.suite) return false;
    const isAfterwards = other.startedAt !== null && run.endedAt !== null && other.startedAt >= run.endedAt;
    const isElsewhere = there.branch !== null && here.branch !== null && there.branch !== here.branch;
    const isWhole = () => onBranch(there.branch).filter(isVerdict).length >= onBranch(here.branch).length;
    const hasItsJobs = !there.hasEnded || [...here.names].every((name) => there.names.has(name));
    return hasItsJobs && (isAfterwards || (isElsewhere && isWhole()));
  });
}

/** The run has a verdict on the commit, or will have one. */
function isVerdict({ word }: Run): boolean {
  return !wasInterrupted(word) && word !== "skipped";
}

function checkOf({ name, app, appId, word, startedAt, endedAt, url }: Run, isUndecided: boolean): Check {
  const state = isUndecided ? "pending" : stateOf(word);
  const shown = url === null ? {} : { url };
  return { name, source: "check-run", state, app, appId, detail: word, at: endedAt ?? startedAt ?? 0, ...shown };
}
