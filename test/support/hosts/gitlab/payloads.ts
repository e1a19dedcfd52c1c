import { type Job, type Pipeline, type Project, pathOf, statusOf } from "./state.ts";

/** Bodies of webhooks, in the form of docs.gitlab.com/user/project/integrations/webhook_events. */

const ZERO = "0".repeat(40);
const sam = { id: 1, name: "Sam Sample", username: "sam", email: "[REDACTED]" };

function projectOf(url: string, project: Project): Record<string, unknown> {
  const path = pathOf(project);
  return {
    id: project.id,
    name: project.name,
    description: "",
    web_url: `${url}/${path}`,
    git_http_url: `${url}/${path}.git`,
    namespace: project.owner,
    visibility_level: 0,
    path_with_namespace: path,
    default_branch: project.defaultBranch,
    ci_config_path: null,
  };
}

/** @param commit what an annotated tag leads to; null for a deleted ref */
export function pushPayload(
  url: string,
  project: Project,
  {
    ref,
    before,
    after,
    commit,
  }: { ref: string; before: string | undefined; after: string | undefined; commit: string | null },
): Record<string, unknown> {
  return {
    object_kind: ref.startsWith("refs/tags/") ? "tag_push" : "push",
    event_name: ref.startsWith("refs/tags/") ? "tag_push" : "push",
    before: before ?? ZERO,
    after: after ?? ZERO,
    ref,
    ref_protected: false,
    checkout_sha: commit,
    message: null,
    user_id: sam.id,
    user_username: sam.username,
    project_id: project.id,
    project: projectOf(url, project),
    commits: [],
    // A new branch at a commit that the repo has brings no commits.
    total_commits_count: 0,
  };
}

export function pipelinePayload(url: string, project: Project, pipeline: Pipeline): Record<string, unknown> {
  return {
    object_kind: "pipeline",
    object_attributes: {
      id: pipeline.id,
      iid: pipeline.id,
      name: null,
      ref: pipeline.ref,
      tag: false,
      sha: pipeline.sha,
      before_sha: ZERO,
      source: pipeline.source,
      status: statusOf(pipeline),
      detailed_status: statusOf(pipeline),
      stages: ["test"],
      created_at: "2026-01-01 00:00:00 UTC",
      finished_at: null,
      duration: null,
    },
    merge_request: null,
    user: sam,
    project: projectOf(url, project),
    commit: { id: pipeline.sha, message: "Change something", title: "Change something" },
    builds: pipeline.jobs
      .filter((job) => !job.isRetried)
      .map((job) => ({
        id: job.id,
        stage: "test",
        name: job.name,
        status: job.status,
        allow_failure: job.allowFailure,
      })),
  };
}

export function jobPayload(url: string, project: Project, pipeline: Pipeline, job: Job): Record<string, unknown> {
  return {
    object_kind: "build",
    ref: pipeline.ref,
    tag: false,
    before_sha: ZERO,
    sha: pipeline.sha,
    retries_count: 0,
    build_id: job.id,
    build_name: job.name,
    build_stage: "test",
    build_status: job.status,
    build_allow_failure: job.allowFailure,
    build_failure_reason: "unknown_failure",
    pipeline_id: pipeline.id,
    project_id: project.id,
    project_name: `${project.owner} / ${project.name}`,
    user: sam,
    commit: { id: pipeline.id, sha: pipeline.sha, message: "Change something", status: statusOf(pipeline) },
    project: projectOf(url, project),
  };
}
