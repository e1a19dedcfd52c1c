import { type Hook, type Job, type Pipeline, type Project, pathOf, statusOf } from "./state.ts";

/** Answers of the API, in the form of docs.gitlab.com/api, cut to what a client may reasonably read. */

export function projectBody(url: string, cloneUrl: string, project: Project): Record<string, unknown> {
  const path = pathOf(project);
  return {
    id: project.id,
    description: null,
    name: project.name,
    path: project.name,
    path_with_namespace: path,
    default_branch: project.defaultBranch,
    http_url_to_repo: `${cloneUrl}/${path}.git`,
    web_url: `${url}/${path}`,
    namespace: { id: 7, kind: "group", path: project.owner.split("/").at(-1), full_path: project.owner },
  };
}

/** @param tellsPipeline newer versions name the pipeline of a status */
export function statusBody(job: Job, pipeline: Pipeline, tellsPipeline: boolean): Record<string, unknown> {
  return {
    id: job.id,
    sha: pipeline.sha,
    ref: pipeline.ref,
    status: job.status,
    name: job.name,
    target_url: job.targetUrl,
    description: job.description,
    created_at: job.createdAt,
    started_at: job.startedAt,
    finished_at: job.finishedAt,
    allow_failure: job.allowFailure,
    coverage: null,
    author: { id: 1, username: "sam", name: "Sam Sample", state: "active" },
    ...(tellsPipeline ? { pipeline_id: pipeline.id } : {}),
  };
}

export function jobBody(url: string, job: Job, pipeline: Pipeline, project: Project): Record<string, unknown> {
  return {
    id: job.id,
    status: job.status,
    stage: "test",
    name: job.name,
    ref: pipeline.ref,
    tag: false,
    allow_failure: job.allowFailure,
    created_at: job.createdAt,
    started_at: job.startedAt,
    finished_at: job.finishedAt,
    pipeline: {
      id: pipeline.id,
      project_id: project.id,
      ref: pipeline.ref,
      sha: pipeline.sha,
      status: statusOf(pipeline),
    },
    web_url: `${url}/${pathOf(project)}/-/jobs/${job.id}`,
  };
}

export function pipelineBody(url: string, pipeline: Pipeline, project: Project): Record<string, unknown> {
  return {
    id: pipeline.id,
    iid: pipeline.id - 1000,
    project_id: project.id,
    sha: pipeline.sha,
    ref: pipeline.ref,
    status: statusOf(pipeline),
    source: pipeline.source,
    created_at: pipeline.createdAt,
    updated_at: pipeline.createdAt,
    web_url: `${url}/${pathOf(project)}/-/pipelines/${pipeline.id}`,
  };
}

export const HOOK_EVENTS = [
  "push_events",
  "tag_push_events",
  "pipeline_events",
  "job_events",
  "merge_requests_events",
  "issues_events",
];

/** A webhook never shows its secrets. */
export function hookBody(hook: Hook, project: Project | null): Record<string, unknown> {
  return {
    id: hook.id,
    url: hook.url,
    ...(project === null ? {} : { project_id: project.id }),
    ...Object.fromEntries(HOOK_EVENTS.map((event) => [event, hook.events.has(event)])),
    enable_ssl_verification: hook.verifiesTls,
    push_events_branch_filter: hook.branchFilter,
    branch_filter_strategy: hook.branchFilter === "" ? "all_branches" : "wildcard",
    custom_webhook_template: hook.template,
    alert_status: hook.alertStatus,
    disabled_until: null,
    url_variables: [],
    token_present: hook.token !== null,
    signing_token_present: hook.signingToken !== null,
  };
}
