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
 */
export function checksOfRuns(runs: Run[], suites: Suite[]): Check[] {
  const newest = new Map<string, Run>();
  for (const run of runs) {
    const key = JSON.stringify([run.app, run.suite, run.name]);
    const before = newest.get(key);
    if (before === undefined || run.id > before.id) newest.set(key, run);
  }
  const all = [...newest.values()];
  const places = placesOf(all, suites);
  return worstOfEach(all.filter((run) => !all.some((other) => standsFor(other, run, places))).map(checkOf));
}

/** By suite: the branch it was made for, whether it has ended, and the names of its runs. */
type Places = ReadonlyMap<number | null, { branch: string | null; hasEnded: boolean; names: Set<string> }>;

function placesOf(runs: Run[], suites: Suite[]): Places {
  const known = new Map(suites.map((suite) => [suite.id, suite]));
  const places = new Map<number | null, { branch: string | null; hasEnded: boolean; names: Set<string> }>();
  for (const { suite: id, name } of runs) {
    const suite = id === null ? undefined : known.get(id);
    const place = places.get(id) ?? {
      branch: suite?.branch ?? null,
      hasEnded: suite?.hasEnded ?? true,
      names: new Set(),
    };
    places.set(id, place);
    place.names.add(name);
  }
  return places;
}

/**
 * Whether `other` is the run of the same job for another push or event: made for another branch, or begun only after
 * `run` had been cut short, as a `concurrency` group does it. Two workflows that run side by side are neither. A
 * workflow has the same jobs each time: where the other suite lacks one of them, it is another workflow.
 */
function standsFor(other: Run, run: Run, places: Places): boolean {
  if (!isCutShort(run.word) || isCutShort(other.word)) return false;
  if (other.app !== run.app || other.name !== run.name || other.suite === run.suite) return false;
  const [there, here] = [places.get(other.suite), places.get(run.suite)];
  if (there === undefined || here === undefined) return false;
  const isElsewhere = there.branch !== null && here.branch !== null && there.branch !== here.branch;
  const isAfterwards = other.startedAt !== null && run.endedAt !== null && other.startedAt >= run.endedAt;
  return (isElsewhere || isAfterwards) && (!there.hasEnded || [...here.names].every((name) => there.names.has(name)));
}

function checkOf({ name, app, appId, word, startedAt, endedAt }: Run): Check {
  return { name, source: "check-run", state: stateOf(word), app, appId, detail: word, at: endedAt ?? startedAt ?? 0 };
}
