import * as z from "zod";
import type { Check } from "../../delivery/types.ts";
import type { Suite } from "./check-suites.ts";
import { readAnswer } from "./payload.ts";
import { app, isCutShort, stateOf, time, wordOf, worstOfEach } from "./words.ts";

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
  })
  .transform((run) => ({
    id: run.id,
    name: run.name,
    ...run.app,
    suite: run.check_suite?.id ?? null,
    word: wordOf(run.status, run.conclusion),
    startedAt: run.started_at ?? null,
    endedAt: run.completed_at ?? null,
  }));

export type Run = z.output<typeof checkRun>;

/** @throws TransientError where the items have another shape. */
export function readRuns(items: unknown[]): Run[] {
  return readAnswer("a check run", checkRun, items);
}

/**
 * One check for each app and name. In one suite the newest run counts: the others are what was run before. Of several
 * suites the worst counts, since GitHub does not say which workflow a run is of and no job may hide another workflow's
 * failure; a run that was cut short is no verdict and gives way to one that stands for it. Pure.
 * @param toCome the apps of which further runs are to come: what stands for a run may be among them
 */
export function checksOfRuns(runs: Run[], suites: Suite[], toCome: ReadonlySet<string | null> = new Set()): Check[] {
  const newest = new Map<string, Run>();
  for (const run of runs) {
    const key = JSON.stringify([run.app, run.suite, run.name]);
    const before = newest.get(key);
    if (before === undefined || run.id > before.id) newest.set(key, run);
  }
  const all = [...newest.values()];
  const places = placesOf(all, suites);
  const counted = all.filter((run) => !isCutShort(run.word) || !isStoodFor(run, all, places));
  return worstOfEach(counted.map((run) => checkOf(run, isCutShort(run.word) && toCome.has(run.app))));
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
 * Whether there is a run of the same job for another push or event that `run`, which was cut short, gives way to. It began
 * after `run` had ended, as a `concurrency` group does it; or it was made for another branch, where the job ran in no
 * fewer suites, so that no workflow of the first branch is missing. Two workflows that run side by side are neither. A
 * workflow has the same jobs each time: where the other suite lacks one of them, it is another workflow.
 */
function isStoodFor(run: Run, all: Run[], places: Places): boolean {
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

/** It has come, or may come, to a verdict on the commit. */
function isVerdict({ word }: Run): boolean {
  return !isCutShort(word) && word !== "skipped";
}

function checkOf({ name, app, appId, word, startedAt, endedAt }: Run, isUndecided: boolean): Check {
  const state = isUndecided ? "pending" : stateOf(word);
  return { name, source: "check-run", state, app, appId, detail: word, at: endedAt ?? startedAt ?? 0 };
}
