import * as z from "zod";
import type { Check } from "../../delivery/types.ts";
import { time } from "../payload.ts";
import { type Job, pipelineOf } from "./jobs.ts";
import { readAnswer } from "./payload.ts";
import { stateOf } from "./states.ts";

/** https://docs.gitlab.com/api/pipelines/#list-project-pipelines */
const pipeline = z.object({
  id: z.number(),
  status: z.string(),
  ref: z.string().nullish(),
  source: z.string().nullish(),
  created_at: time.nullish(),
  updated_at: time.nullish(),
  web_url: z.string().nullish(),
});

export type Pipeline = z.output<typeof pipeline>;

/** @throws TransientError where the items have another shape. */
export function readPipelines(items: unknown[]): Pipeline[] {
  return readAnswer("a pipeline", pipeline, items);
}

/**
 * What pipelines without jobs say: one that failed could not start, as with an error in `.gitlab-ci.yml`, and one that
 * is pending has no jobs yet. The state of a pipeline with jobs does not count: our own report is one of them, and it
 * would wait for itself.
 */
export function checksOfPipelines(pipelines: readonly Pipeline[], jobs: readonly Job[], app: string | null): Check[] {
  const places = new Set(jobs.flatMap((job) => [`id:${pipelineOf(job)}`, `ref:${job.ref}`]));
  const namesPipelines = jobs.every((job) => pipelineOf(job) !== null);
  const hasJobs = ({ id, ref }: Pipeline) => places.has(namesPipelines ? `id:${id}` : `ref:${ref}`);
  return newestOfEachRef(pipelines).flatMap((each) => {
    const state = stateOf(each.status);
    if (hasJobs(each) || state === "passed" || each.status === "manual") return [];
    return [
      {
        name: "pipeline",
        source: "check-suite",
        state,
        app,
        detail: each.status,
        at: each.updated_at ?? each.created_at ?? 0,
        order: each.id,
        group: each.ref ?? "",
        ...(each.web_url ? { url: each.web_url } : {}),
      },
    ];
  });
}

/** A pipeline that runs again for the same ref replaces the one before. One made for posted statuses replaces none. */
function newestOfEachRef(pipelines: readonly Pipeline[]): Pipeline[] {
  const newest = new Map<string, Pipeline>();
  for (const each of pipelines) {
    if (each.source === "external") continue;
    const known = newest.get(each.ref ?? "");
    if (known === undefined || each.id > known.id) newest.set(each.ref ?? "", each);
  }
  return [...newest.values()];
}
