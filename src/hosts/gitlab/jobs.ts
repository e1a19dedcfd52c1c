import * as z from "zod";
import { isOwnContext } from "../../delivery/commit-status.ts";
import type { Check } from "../../delivery/types.ts";
import { time } from "../payload.ts";
import { readAnswer } from "./payload.ts";
import { stateOf } from "./states.ts";

const moment = time.nullish();

/**
 * A job of a pipeline: of GitLab CI, a trigger of another pipeline, or a status that somebody posted.
 * https://docs.gitlab.com/api/commits/#list-commit-statuses and https://docs.gitlab.com/api/jobs/
 */
const job = z.object({
  id: z.number(),
  name: z.string(),
  status: z.string(),
  ref: z.string().nullish(),
  allow_failure: z.boolean().nullish(),
  created_at: moment,
  started_at: moment,
  finished_at: moment,
  target_url: z.string().nullish(),
  web_url: z.string().nullish(),
  description: z.string().nullish(),
  // A list of statuses has the first one in newer versions only, a list of jobs the second one.
  pipeline_id: z.number().nullish(),
  pipeline: z.object({ id: z.number() }).nullish(),
});

export type Job = z.output<typeof job>;

/** @throws TransientError where the items have another shape. */
export function readJobs(items: unknown[]): Job[] {
  return readAnswer("a job", job, items);
}

/** Null: this GitLab does not say. */
export function pipelineOf(job: Job): number | null {
  return job.pipeline_id ?? job.pipeline?.id ?? null;
}

/** The newest job of each ref and name: ids rise, and what runs again gets a new one. */
function newestJobs(jobs: readonly Job[]): Job[] {
  const newest = new Map<string, Job>();
  for (const each of jobs) {
    const key = JSON.stringify([each.ref ?? "", each.name]);
    const known = newest.get(key);
    if (known === undefined || each.id > known.id) newest.set(key, each);
  }
  return [...newest.values()];
}

/** @param app whose jobs these are. Null: anybody may have posted one of them */
export function checksOfJobs(jobs: readonly Job[], app: string | null): Check[] {
  const newest = newestJobs(jobs);
  const broken = new Set(newest.filter(hasBroken).map(placeOf));
  return newest.map((each) => {
    const wasLeftOut = each.status === "skipped" && broken.has(placeOf(each));
    const url = each.target_url ?? each.web_url ?? null;
    return {
      name: each.name,
      source: "job",
      // Its stage was never reached, because a job before it failed: nobody knows whether it would pass.
      state: wasLeftOut ? "failed" : stateOf(each.status),
      app,
      detail: each.status,
      at: each.finished_at ?? each.started_at ?? each.created_at ?? 0,
      order: each.id,
      group: each.ref ?? "",
      mayFail: each.allow_failure === true && !wasLeftOut,
      isManual: each.status === "manual",
      ...(url === null ? {} : { url }),
    };
  });
}

/** Our own report stops no job. */
function hasBroken({ name, status, allow_failure }: Job): boolean {
  return stateOf(status) === "failed" && allow_failure !== true && !isOwnContext(name);
}

/** The pipeline, as far as this GitLab names it. */
function placeOf(job: Job): string {
  return `${pipelineOf(job) ?? ""}:${job.ref ?? ""}`;
}
