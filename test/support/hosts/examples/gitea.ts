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

/** Shaped after what a Gitea 1.25.4 sent, and for Forgejo after its source. */

const SECRET = "the webhook secret of the Gitea examples";

const user = (login: string) => ({ id: 7, login, login_name: "", full_name: "", email: "", username: login });
const repository = {
  id: 42,
  owner: user("acme"),
  name: "api",
  full_name: "acme/api",
  private: true,
  html_url: "https://git.example.com/acme/api",
  clone_url: "https://git.example.com/acme/api.git",
  default_branch: "main",
  permissions: { admin: false, push: false, pull: false },
  object_format_name: "sha1",
};
const repo = { hostId: "42", owner: "acme", name: "api", defaultBranch: "main" };
const ada = user("ada");
const commit = {
  id: SHA,
  message: "Change something\n",
  url: `https://git.example.com/acme/api/commit/${SHA}`,
  author: { name: "Ada", email: "ada@example.com", username: "ada" },
  committer: { name: "Ada", email: "ada@example.com", username: "ada" },
  verification: null,
  timestamp: "2026-01-01T00:00:00Z",
  added: ["a"],
  removed: [],
  modified: [],
};

const push = (more: Record<string, unknown> = {}) => ({
  ref: "refs/heads/main",
  before: "95790bf891e76fee5e1747ab589903a6a1f80f22",
  after: SHA,
  compare_url: "https://git.example.com/acme/api/compare/x...y",
  commits: [commit],
  total_commits: 1,
  head_commit: commit,
  repository,
  pusher: ada,
  sender: ada,
  ...more,
});
const tagPush = (more: Record<string, unknown> = {}) =>
  push({ ref: "refs/tags/v1.0.0", before: ZERO, commits: [], total_commits: 0, ...more });
const created = (ref_type: string, ref: string, more: Record<string, unknown> = {}) => ({
  ...{ sha: SHA, ref, ref_type, repository, sender: ada },
  ...more,
});
const deleted = (ref_type: string, ref: string) => ({ ref, ref_type, pusher_type: "user", repository, sender: ada });
const status = (more: Record<string, unknown> = {}) => ({
  commit,
  context: "ci.yml / test (push)",
  created_at: "2026-01-01T00:00:00Z",
  description: "Successful in 12s",
  id: 63,
  repository,
  sender: user("ci-bot"),
  sha: SHA,
  state: "success",
  target_url: "https://git.example.com/acme/api/actions/runs/1/jobs/0",
  updated_at: "2026-01-01T00:00:00Z",
  ...more,
});
const workflowRun = (more: Record<string, unknown> = {}) => ({
  action: "completed",
  workflow: { id: "ci.yml", name: "ci", path: ".gitea/workflows/ci.yml", state: "active" },
  workflow_run: {
    ...{ id: 1, path: "ci.yml@refs/heads/main", event: "push", run_attempt: 1, run_number: 1, head_sha: SHA },
    ...{ head_branch: "main", status: "completed", conclusion: "success" },
    ...more,
  },
  repository,
  sender: ada,
});
const workflowJob = () => ({
  action: "in_progress",
  workflow_job: { id: 5, run_id: 1, name: "test", head_sha: SHA, head_branch: "main", status: "in_progress" },
  repository,
  sender: ada,
});
const actionRun = (action: string, more: Record<string, unknown> = {}) => ({
  action,
  run: {
    ...{ id: 9, title: "Change something", repository, workflow_id: "ci.yml", index_in_repo: 3, trigger_event: "push" },
    ...{ event: "push", commit_sha: SHA, prettyref: "main", status: action, trigger_user: ada },
    ...more,
  },
  prior_status: "running",
});

type Row = [what: string, event: string, body: Record<string, unknown>, expected: HintFacts | ExpectedReading];

const rows: Row[] = [
  ["a push to a branch", "push", push(), { ref: "refs/heads/main", sha: SHA, event: "push" }],
  [
    "a new branch at an old commit, which brings no commits",
    "push",
    push({ before: ZERO, ref: "refs/heads/release/1", commits: [], total_commits: 0 }),
    { ref: "refs/heads/release/1", sha: SHA, event: "push" },
  ],
  [
    "a push as the test of a webhook sends it",
    "push",
    push({ before: SHA }),
    { ref: "refs/heads/main", sha: SHA, event: "push" },
  ],
  [
    "a deleted branch, as other versions send it",
    "push",
    push({ after: ZERO, ref: "refs/heads/old", head_commit: null, commits: [] }),
    { ref: "refs/heads/old", sha: null, event: "push deleted" },
  ],
  [
    "a push of another kind of ref",
    "push",
    push({ ref: "refs/pull/3/head" }),
    { ignored: /neither a branch nor a tag/ },
  ],
  ["a lightweight tag", "push", tagPush(), { ref: "refs/tags/v1.0.0", sha: SHA, event: "push" }],
  [
    "an annotated tag, whose after is the tag object",
    "push",
    tagPush({ after: TAG_OBJECT }),
    { ref: "refs/tags/v1.0.0", sha: SHA, event: "push" },
  ],
  [
    "an annotated tag without its commit",
    "push",
    tagPush({ after: TAG_OBJECT, head_commit: null }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "push" },
  ],
  [
    "a deleted tag",
    "push",
    tagPush({ before: SHA, after: ZERO, head_commit: null }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "push deleted" },
  ],
  [
    "a created branch, with the short name",
    "create",
    created("branch", "release/1"),
    { ref: "refs/heads/release/1", sha: null, event: "create" },
  ],
  [
    "a created tag, with the tag object",
    "create",
    created("tag", "v1.0.0", { sha: TAG_OBJECT }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "create" },
  ],
  [
    "a branch that was deleted",
    "delete",
    deleted("branch", "short"),
    { ref: "refs/heads/short", sha: null, event: "delete deleted" },
  ],
  [
    "a tag that was deleted",
    "delete",
    deleted("tag", "v1.0.0"),
    { ref: "refs/tags/v1.0.0", sha: null, event: "delete deleted" },
  ],
  ["a status that passed", "status", status(), { ref: null, sha: SHA, event: "status success" }],
  ["a status with a warning", "status", status({ state: "warning" }), { ref: null, sha: SHA, event: "status warning" }],
  ["a status of ours", "status", status({ context: "deliverd/api" }), { ignored: /our own report/ }],
  ["a run of a workflow", "workflow_run", workflowRun(), { ref: null, sha: SHA, event: "workflow_run completed" }],
  ["a job of a workflow", "workflow_job", workflowJob(), { ref: null, sha: SHA, event: "workflow_job in_progress" }],
  [
    "a run of Forgejo's that failed",
    "action_run_failure",
    actionRun("failure"),
    { ref: null, sha: SHA, event: "action_run_failure failure" },
  ],
  [
    "a run of Forgejo's that passed",
    "action_run_success",
    actionRun("success"),
    { ref: null, sha: SHA, event: "action_run_success success" },
  ],
  [
    "a run of Forgejo's that passes again",
    "action_run_recover",
    actionRun("recovered"),
    { ref: null, sha: SHA, event: "action_run_recover recovered" },
  ],
  ["a created repo", "repository", { action: "created", repository, sender: ada }, { ignored: /repository/ }],
  [
    "a pull request",
    "pull_request",
    { action: "opened", number: 1, repository, sender: ada },
    { ignored: /pull_request/ },
  ],
  [
    "a release",
    "release",
    { action: "published", release: { id: 1 }, repository, sender: ada },
    { ignored: /release/ },
  ],
  ["our own ping", "ping", {}, { ignored: /ping/ }],
  [
    "a push of a repo without a branch",
    "push",
    push({ repository: { ...repository, default_branch: "" } }),
    {
      hints: [{ ref: "refs/heads/main", sha: SHA, event: "push", repo: { ...repo, defaultBranch: null } }],
    },
  ],
  ["a push without a repo", "push", push({ repository: undefined }), { malformed: /repository: / }],
  [
    "a push whose repo has no number",
    "push",
    push({ repository: { ...repository, id: "42" } }),
    { malformed: /repository\.id: / },
  ],
  [
    "a push of a repo whose name leads elsewhere",
    "push",
    push({ repository: { ...repository, name: ".." } }),
    { malformed: /repository\.name: / },
  ],
  ["a push with a control character in its ref", "push", push({ ref: "refs/heads/a\u0000" }), { malformed: /ref: / }],
  ["a push of half a commit", "push", push({ after: SHA.slice(0, 20) }), { malformed: /after: / }],
  ["a created ref of no kind", "create", created("note", "x"), { malformed: /ref_type: / }],
  ["a status without a commit", "status", status({ sha: "" }), { malformed: /sha: / }],
  [
    "a run without a commit",
    "workflow_run",
    workflowRun({ head_sha: null }),
    { malformed: /workflow_run\.head_sha: / },
  ],
  [
    "a run of Forgejo's without its repo",
    "action_run_success",
    actionRun("success", { repository: null }),
    { malformed: /run\.repository: / },
  ],
  ["no event", "", push(), { malformed: /X-Gitea-Event header is missing/ }],
];

const table: WebhookExample[] = rows.map(([what, event, body, expected]) => ({
  what,
  headers: {
    "x-gitea-event": event,
    "x-github-event": event,
    "x-gitea-delivery": "cab9a851-df19-4dda-8053-a3e022113225",
  },
  body,
  expected: "event" in expected ? { hints: [expected] } : expected,
}));

export const gitea: HostExamples = {
  type: "gitea",
  settings: { type: "gitea", url: "http://127.0.0.1:9", webhookSecret: SECRET },
  repo,
  sign: (body) => ({ "x-gitea-signature": createHmac("sha256", SECRET).update(body).digest("hex") }),
  signatureHeader: "x-gitea-signature",
  table,
  aims: [
    ["ref"],
    ["ref_type"],
    ["after"],
    ["head_commit"],
    ["head_commit", "id"],
    ["sha"],
    ["context"],
    ["state"],
    ["action"],
    ["workflow_run"],
    ["workflow_run", "head_sha"],
    ["workflow_job", "head_sha"],
    ["run"],
    ["run", "commit_sha"],
    ["run", "repository"],
    ["repository"],
    ["repository", "id"],
    ["repository", "name"],
    ["repository", "owner"],
    ["repository", "owner", "login"],
    ["repository", "default_branch"],
  ],
};

/** For tests of what the examples do not show. */
export const giteaBodies = { push, secret: SECRET };
