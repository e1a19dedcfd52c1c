import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { JsonObject } from "../github/json.ts";
import { type ExpectedReading, type HintFacts, type HostExamples, SHA, TAG_OBJECT, ZERO } from "./host-examples.ts";

/** Shaped after https://docs.github.com/en/webhooks/webhook-events-and-payloads */

const SECRET = "a webhook secret for examples";

const repository = {
  id: 1296269,
  node_id: "MDEwOlJlcG9zaXRvcnkxMjk2MjY5",
  name: "api",
  full_name: "acme/api",
  private: true,
  owner: { login: "acme", id: 9, type: "Organization" },
  clone_url: "https://github.com/acme/api.git",
  default_branch: "main",
};
const repo = { hostId: "1296269", owner: "acme", name: "api", defaultBranch: "main" };
const sender = { login: "sam", id: 1, type: "User" };

const push = (more: Record<string, unknown> = {}) => ({
  ref: "refs/heads/main",
  before: "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
  after: SHA,
  created: false,
  deleted: false,
  forced: false,
  base_ref: null,
  commits: [{ id: SHA, message: "Change something", added: ["a"], removed: [], modified: [] }],
  head_commit: { id: SHA, message: "Change something" },
  repository,
  pusher: { name: "sam" },
  sender,
  ...more,
});
const about = (more: Record<string, unknown>) => ({ repository, sender, ...more });
const status = (more: Record<string, unknown> = {}) =>
  about({ id: 5, sha: SHA, name: "acme/api", context: "ci/test", state: "success", branches: [], ...more });
const checkRun = (action: string, more: Record<string, unknown> = {}) =>
  about({
    action,
    check_run: { id: 4, name: "test", head_sha: SHA, status: "completed", conclusion: "success", ...more },
  });
const checkSuite = (action: string, more: Record<string, unknown> = {}) =>
  about({ action, check_suite: { id: 3, head_branch: "main", head_sha: SHA, status: "completed", ...more } });
const workflowRun = (action: string) =>
  about({ action, workflow_run: { id: 2, name: "CI", head_branch: "main", head_sha: SHA, status: "completed" } });

type Row = [what: string, event: string, body: Record<string, unknown>, expected: HintFacts | ExpectedReading];

const rows: Row[] = [
  ["a push to a branch", "push", push(), { ref: "refs/heads/main", sha: SHA, event: "push" }],
  [
    "a new branch at an old commit",
    "push",
    push({ ref: "refs/heads/release/1", before: ZERO, created: true, commits: [] }),
    { ref: "refs/heads/release/1", sha: SHA, event: "push" },
  ],
  [
    "a force-pushed branch",
    "push",
    push({ forced: true, commits: [] }),
    { ref: "refs/heads/main", sha: SHA, event: "push" },
  ],
  [
    "a deleted branch",
    "push",
    push({ after: ZERO, deleted: true, head_commit: null }),
    { ref: "refs/heads/main", sha: null, event: "push deleted" },
  ],
  [
    "a deleted branch of a server that does not send 'deleted'",
    "push",
    push({ after: ZERO, deleted: undefined, head_commit: null }),
    { ref: "refs/heads/main", sha: null, event: "push deleted" },
  ],
  [
    "a lightweight tag",
    "push",
    push({ ref: "refs/tags/v1.0.0", before: ZERO }),
    { ref: "refs/tags/v1.0.0", sha: SHA, event: "push" },
  ],
  [
    "an annotated tag, whose after is the tag object",
    "push",
    push({ ref: "refs/tags/v1.0.0", before: ZERO, after: TAG_OBJECT }),
    { ref: "refs/tags/v1.0.0", sha: SHA, event: "push" },
  ],
  [
    "an annotated tag without its commit",
    "push",
    push({ ref: "refs/tags/v1.0.0", after: TAG_OBJECT, head_commit: null }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "push" },
  ],
  ["a push of notes", "push", push({ ref: "refs/notes/commits" }), { ignored: /neither a branch nor a tag/ }],
  [
    "a new branch",
    "create",
    about({ ref: "feature/x", ref_type: "branch", master_branch: "main" }),
    { ref: "refs/heads/feature/x", sha: null, event: "create" },
  ],
  [
    "a new tag",
    "create",
    about({ ref: "v1.0.0", ref_type: "tag", master_branch: "main" }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "create" },
  ],
  ["a status", "status", status(), { ref: null, sha: SHA, event: "status success" }],
  ["a pending status", "status", status({ state: "pending" }), { ref: null, sha: SHA, event: "status pending" }],
  ["a status of ours", "status", status({ context: "deliverd/api" }), { ignored: /our own report/ }],
  [
    "a check run that has ended",
    "check_run",
    checkRun("completed"),
    { ref: null, sha: SHA, event: "check_run completed" },
  ],
  [
    "a check run that begins",
    "check_run",
    checkRun("created", { status: "queued", conclusion: null }),
    { ref: null, sha: SHA, event: "check_run created" },
  ],
  [
    "a check suite that has ended",
    "check_suite",
    checkSuite("completed"),
    { ref: null, sha: SHA, event: "check_suite completed" },
  ],
  [
    "a check suite on no branch",
    "check_suite",
    checkSuite("completed", { head_branch: null }),
    { ref: null, sha: SHA, event: "check_suite completed" },
  ],
  [
    "a workflow run that was asked for",
    "workflow_run",
    workflowRun("requested"),
    { ref: null, sha: SHA, event: "workflow_run requested" },
  ],
  [
    "a workflow run that has ended",
    "workflow_run",
    workflowRun("completed"),
    { ref: null, sha: SHA, event: "workflow_run completed" },
  ],
  ["a ping", "ping", about({ zen: "Keep it logically awesome.", hook_id: 1 }), { ignored: /ping/ }],
  ["an issue", "issues", about({ action: "opened", issue: { number: 1 } }), { ignored: /issues/ }],
  ["a push without its repository", "push", push({ repository: undefined }), { malformed: /repository: / }],
  ["a push of half a commit", "push", push({ after: SHA.slice(0, 20) }), { malformed: /after: / }],
  ["a push with a control character in its ref", "push", push({ ref: "refs/heads/a\u0000" }), { malformed: /ref: / }],
  ["a status of no commit", "status", status({ sha: null }), { malformed: /sha: / }],
  [
    "a check run without its commit",
    "check_run",
    checkRun("completed", { head_sha: undefined }),
    { malformed: /check_run\.head_sha: / },
  ],
];

const headersOf = (event: string) => ({
  "x-github-event": event,
  "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
  "user-agent": "GitHub-Hookshot/5a9f8d1",
});

/** GitHub's own examples: all of them are taken. */
const published: { name: string; examples: JsonObject[] }[] = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("@octokit/webhooks-examples/api.github.com/index.json"), "utf8"),
);
/** Those that are read beyond their name come more often. */
const READ = ["push", "create", "status", "check_run", "check_suite", "workflow_run"];
const READ_AS_OFTEN_AS = 10;

export const github: HostExamples = {
  type: "github",
  settings: { type: "github", apiUrl: "http://127.0.0.1:9", webhookSecret: SECRET },
  repo,
  sign: (body) => ({ "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}` }),
  signatureHeader: "x-hub-signature-256",
  table: rows.map(([what, event, body, expected]) => ({
    what,
    headers: headersOf(event),
    body,
    expected: "event" in expected ? { hints: [expected] } : expected,
  })),
  more: published.flatMap(({ name, examples }) =>
    examples.flatMap((body) =>
      Array.from({ length: READ.includes(name) ? READ_AS_OFTEN_AS : 1 }, () => ({ headers: headersOf(name), body })),
    ),
  ),
  aims: [
    ["ref"],
    ["ref_type"],
    ["after"],
    ["deleted"],
    ["head_commit"],
    ["head_commit", "id"],
    ["sha"],
    ["context"],
    ["state"],
    ["action"],
    ["check_run"],
    ["check_run", "head_sha"],
    ["check_suite", "head_sha"],
    ["workflow_run", "head_sha"],
    ["repository"],
    ["repository", "id"],
    ["repository", "name"],
    ["repository", "owner"],
    ["repository", "owner", "login"],
    ["repository", "default_branch"],
  ],
};
