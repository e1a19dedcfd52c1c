import { createHmac } from "node:crypto";
import {
  type ExpectedReading,
  type HintFacts,
  type HostExamples,
  SHA,
  TAG_OBJECT,
  type WebhookExample,
  ZERO,
} from "./host-examples.ts";

/** Shaped after https://docs.gitlab.com/user/project/integrations/webhook_events/ */

const KEY = Buffer.alloc(32, 7);

const project = {
  id: 15,
  name: "Diaspora Client",
  web_url: "https://gitlab.example.com/acme/platform/api",
  namespace: "Platform",
  path_with_namespace: "acme/platform/api",
  default_branch: "main",
};
const repo = { hostId: "15", owner: "acme/platform", name: "api", defaultBranch: "main" };
const renamed = { hostId: "15", owner: "acme", name: "new", defaultBranch: null };
const sam = { id: 1, name: "Sam Sample", username: "sam" };

const push = (more: Record<string, unknown> = {}) => ({
  object_kind: "push",
  event_name: "push",
  before: "95790bf891e76fee5e1747ab589903a6a1f80f22",
  after: SHA,
  ref: "refs/heads/main",
  ref_protected: true,
  checkout_sha: SHA,
  message: null,
  user_username: "sam",
  project_id: 15,
  project,
  commits: [{ id: SHA, title: "Update the catalog", added: ["CHANGELOG"], modified: [], removed: [] }],
  total_commits_count: 1,
  push_options: {},
  ...more,
});
const tagPush = (more: Record<string, unknown> = {}) =>
  push({
    object_kind: "tag_push",
    event_name: "tag_push",
    ref: "refs/tags/v1.0.0",
    before: ZERO,
    commits: [],
    ...more,
  });
const pipeline = (attributes: Record<string, unknown> = {}, builds: string[] | null = ["build", "test"]) => ({
  object_kind: "pipeline",
  object_attributes: {
    ...{ id: 31, iid: 3, name: null, ref: "main", tag: false, sha: SHA, source: "push", status: "running" },
    ...{ detailed_status: "running", stages: ["build", "test"], duration: null, variables: [] },
    ...attributes,
  },
  merge_request: null,
  user: sam,
  project,
  commit: { id: SHA, message: "test", url: "https://gitlab.example.com/x" },
  ...(builds && {
    builds: builds.map((name, id) => ({ id, stage: "test", name, status: "created", allow_failure: false })),
  }),
});
const job = (more: Record<string, unknown> = {}) => ({
  object_kind: "build",
  ref: "main",
  tag: false,
  sha: SHA,
  build_id: 1977,
  build_name: "test",
  build_stage: "test",
  build_status: "success",
  build_allow_failure: false,
  pipeline_id: 2366,
  project_id: 15,
  project_name: "acme / platform / api",
  commit: { id: 2366, sha: SHA },
  project,
  ...more,
});

const moved = (event: string, more: Record<string, unknown> = {}) => ({
  event_name: event,
  created_at: "2026-01-01T00:00:00Z",
  name: "New",
  path: "new",
  path_with_namespace: "acme/new",
  project_id: 15,
  owners: [{ name: "Sam Sample", email: "sam@example.com" }],
  old_path_with_namespace: "acme/platform/api",
  project_visibility: "private",
  ...more,
});

type Row = [what: string, body: Record<string, unknown>, expected: HintFacts | ExpectedReading];

const rows: Row[] = [
  ["a push to a branch", push(), { ref: "refs/heads/main", sha: SHA, event: "push" }],
  [
    "a new branch at an old commit, which brings no commits",
    push({ before: ZERO, ref: "refs/heads/release/1", commits: [], total_commits_count: 0 }),
    { ref: "refs/heads/release/1", sha: SHA, event: "push" },
  ],
  [
    "a deleted branch",
    push({ after: ZERO, checkout_sha: null, ref: "refs/heads/old", commits: [] }),
    { ref: "refs/heads/old", sha: null, event: "push deleted" },
  ],
  [
    "a push without checkout_sha, as older versions send it",
    push({ checkout_sha: undefined }),
    { ref: "refs/heads/main", sha: SHA, event: "push" },
  ],
  [
    "a push of the instance's hook",
    push({ object_kind: undefined }),
    { ref: "refs/heads/main", sha: SHA, event: "push" },
  ],
  [
    "a push of another kind of ref",
    push({ ref: "refs/environments/prod/1" }),
    { ignored: /neither a branch nor a tag/ },
  ],
  ["a lightweight tag", tagPush(), { ref: "refs/tags/v1.0.0", sha: SHA, event: "tag_push" }],
  [
    "an annotated tag, whose after is the tag object",
    tagPush({ after: TAG_OBJECT }),
    { ref: "refs/tags/v1.0.0", sha: SHA, event: "tag_push" },
  ],
  [
    "an annotated tag of what is no commit",
    tagPush({ after: TAG_OBJECT, checkout_sha: null }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "tag_push" },
  ],
  [
    "a deleted tag",
    tagPush({ before: TAG_OBJECT, after: ZERO, checkout_sha: null }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "tag_push deleted" },
  ],
  ["a pipeline that runs", pipeline(), { ref: null, sha: SHA, event: "pipeline running" }],
  ["a pipeline that passed", pipeline({ status: "success" }), { ref: null, sha: SHA, event: "pipeline success" }],
  [
    "a pipeline of a merge request, with the source branch as its ref",
    pipeline({ ref: "feature", source: "merge_request_event", status: "failed" }),
    { ref: null, sha: SHA, event: "pipeline failed" },
  ],
  [
    "a pipeline with jobs of CI and of ours",
    pipeline({}, ["test", "deliverd/api"]),
    { ref: null, sha: SHA, event: "pipeline running" },
  ],
  [
    "a pipeline that could not start, without jobs",
    pipeline({ status: "failed" }, []),
    { ref: null, sha: SHA, event: "pipeline failed" },
  ],
  [
    "a pipeline without a list of jobs",
    pipeline({ status: "pending" }, null),
    { ref: null, sha: SHA, event: "pipeline pending" },
  ],
  [
    "a pipeline that has only our reports",
    pipeline({ source: "external" }, ["deliverd/api", "deliverd"]),
    { ignored: /our own report/ },
  ],
  ["a job", job(), { ref: null, sha: SHA, event: "build success" }],
  ["a job of ours", job({ build_name: "deliverd/api" }), { ignored: /our own report/ }],
  ["a job of an old version, without its project", job({ project: undefined }), { ignored: /names no project/ }],
  [
    "a merge request",
    { object_kind: "merge_request", event_type: "merge_request", user: sam, project, object_attributes: { iid: 1 } },
    { ignored: /merge_request/ },
  ],
  ["a note", { object_kind: "note", user: sam, project_id: 15, project }, { ignored: /note/ }],
  ["a deployment", { object_kind: "deployment", status: "success", project }, { ignored: /deployment/ }],
  [
    "a renamed project, of the instance's hook",
    moved("project_rename"),
    { ref: null, sha: null, event: "project_rename", repo: renamed },
  ],
  [
    "a moved project, of the instance's hook",
    moved("project_transfer", { path_with_namespace: "other/new" }),
    { ref: null, sha: null, event: "project_transfer", repo: { ...renamed, owner: "other" } },
  ],
  ["an event without a name", { project }, { ignored: /without a name/ }],
  ["a push without a project", push({ project: undefined }), { malformed: /project: / }],
  ["a push whose project has no number", push({ project: { ...project, id: "15" } }), { malformed: /project\.id: / }],
  [
    "a push with a path that leads elsewhere",
    push({ project: { ...project, path_with_namespace: "acme/../api" } }),
    { malformed: /path_with_namespace: / },
  ],
  [
    "a push of a project in no group",
    push({ project: { ...project, path_with_namespace: "api" } }),
    { malformed: /path_with_namespace: / },
  ],
  ["a push with a control character in its ref", push({ ref: "refs/heads/a\u0000" }), { malformed: /ref: / }],
  ["a push of half a commit", push({ after: SHA.slice(0, 20) }), { malformed: /after: / }],
  ["a pipeline without a commit", pipeline({ sha: null }), { malformed: /object_attributes\.sha: / }],
  [
    "a renamed project without its new path",
    moved("project_rename", { path_with_namespace: undefined }),
    { malformed: /path_with_namespace: / },
  ],
];

const table: WebhookExample[] = rows.map(([what, body, expected]) => ({
  what,
  headers: { "x-gitlab-event": "Hook", "x-gitlab-event-uuid": "13792a34-cac6-4fda-95a8-c58e00a3954e" },
  body,
  expected: "event" in expected ? { hints: [expected] } : expected,
}));

export const gitlab: HostExamples = {
  type: "gitlab",
  settings: {
    type: "gitlab",
    url: "http://127.0.0.1:9",
    webhookSecret: `whsec_${KEY.toString("base64")}`,
  },
  repo,
  sign(body) {
    const id = "msg_13792a34";
    const timestamp = String(Math.floor(Date.now() / 1000));
    const digest = createHmac("sha256", KEY).update(`${id}.${timestamp}.`).update(body).digest("base64");
    return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${digest}` };
  },
  signatureHeader: "webhook-signature",
  table,
  aims: [
    ["object_kind"],
    ["event_name"],
    ["ref"],
    ["after"],
    ["checkout_sha"],
    ["sha"],
    ["build_name"],
    ["build_status"],
    ["builds"],
    ["object_attributes"],
    ["object_attributes", "sha"],
    ["object_attributes", "status"],
    ["project"],
    ["project", "id"],
    ["project", "path_with_namespace"],
    ["project", "default_branch"],
    ["project_id"],
    ["path_with_namespace"],
  ],
};

/** For tests of what the examples do not show. */
export const gitlabBodies = { project, push };
