import { createHmac } from "node:crypto";
import { type ExpectedReading, type HintFacts, type HostExamples, SHA, type WebhookExample } from "./host-examples.ts";

/** The webhooks of Bitbucket Cloud, shaped after support.atlassian.com/bitbucket-cloud/docs/event-payloads. */

const SECRET = "examples of Bitbucket Cloud";
const OLD_SHA = "1e65c05c1d5171631d92438a13901ca7dae9618c";
const UUID = "673a6070-3421-46c9-9d48-90745f7bfe8e";

const repository = {
  type: "repository",
  uuid: `{${UUID}}`,
  full_name: "acme/api",
  name: "The API, with spaces",
  scm: "git",
  website: null,
  is_private: true,
  links: { html: { href: "https://bitbucket.org/acme/api" } },
  workspace: { type: "workspace", slug: "acme", name: "Acme", uuid: "{612f7b18-b167-4bff-8ee9-d43570117ff1}" },
  project: { type: "project", key: "TEST", name: "test" },
  parent: null,
};
const repo = { hostId: UUID, owner: "acme", name: "api", defaultBranch: null };
const actor = { type: "user", display_name: "Sam Sample", nickname: "sam", account_id: "557058:c0b72ad0" };

type Place = Record<string, unknown> | null;
const place = (type: string, name: string, hash = SHA, targetType: string | undefined = "commit"): Place => ({
  type,
  name,
  target: {
    hash,
    type: targetType,
    message: "Change something\n",
    author: { type: "author", raw: "Sam" },
    parents: [],
  },
  links: { html: { href: "https://bitbucket.org/acme/api/branch/x" } },
});
const change = (old: Place, now: Place) => ({
  old,
  new: now,
  created: old === null,
  closed: now === null,
  forced: false,
  truncated: false,
  commits: now === null ? [] : [{ type: "commit", hash: SHA }],
});
const push = (...changes: unknown[]) => ({ push: { changes }, repository, actor });
const status = (more: Record<string, unknown> = {}) => ({
  repository,
  actor,
  commit_status: {
    type: "build",
    key: "3343801",
    name: "Pipeline #4 for main",
    state: "INPROGRESS",
    refname: "main",
    url: "https://bitbucket.org/acme/api/addon/pipelines/home#!/results/4",
    description: "",
    created_on: "2026-01-24T08:48:56.572438+00:00",
    updated_on: "2026-01-24T08:48:56.572450+00:00",
    commit: { type: "commit", hash: SHA },
    links: { commit: { href: `https://api.bitbucket.org/2.0/repositories/acme/api/commit/${SHA}` } },
    ...more,
  },
});

type Row = [what: string, event: string, body: Record<string, unknown>, Expected];
type Expected =
  | (Omit<HintFacts, "event"> & { event?: string })[]
  | Extract<ExpectedReading, { ignored: RegExp } | { malformed: RegExp }>;

const rows: Row[] = [
  [
    "a push to a branch",
    "repo:push",
    push(change(place("branch", "main", OLD_SHA), place("branch", "main"))),
    [{ ref: "refs/heads/main", sha: SHA }],
  ],
  [
    "a new branch",
    "repo:push",
    push(change(null, place("branch", "feature/x"))),
    [{ ref: "refs/heads/feature/x", sha: SHA }],
  ],
  [
    "a deleted branch",
    "repo:push",
    push(change(place("branch", "old"), null)),
    [{ ref: "refs/heads/old", sha: null, event: "repo:push deleted" }],
  ],
  [
    "a lightweight tag",
    "repo:push",
    push(change(null, place("tag", "v1.0.0"))),
    [{ ref: "refs/tags/v1.0.0", sha: SHA }],
  ],
  [
    "an annotated tag, whose target is the commit",
    "repo:push",
    push(change(null, place("annotated_tag", "v1.0.0"))),
    [{ ref: "refs/tags/v1.0.0", sha: SHA }],
  ],
  [
    "a tag whose target is no commit",
    "repo:push",
    push(change(null, place("annotated_tag", "v1.0.0", SHA, "tag"))),
    [{ ref: "refs/tags/v1.0.0", sha: null }],
  ],
  [
    "a tag that moved",
    "repo:push",
    push(change(place("tag", "v1.0.0", OLD_SHA), place("tag", "v1.0.0"))),
    [{ ref: "refs/tags/v1.0.0", sha: SHA }],
  ],
  [
    "a deleted tag",
    "repo:push",
    push(change(place("tag", "v1.0.0"), null)),
    [{ ref: "refs/tags/v1.0.0", sha: null, event: "repo:push deleted" }],
  ],
  [
    "several refs in one push",
    "repo:push",
    push(
      change(place("branch", "main", OLD_SHA), place("branch", "main")),
      change(place("branch", "old", OLD_SHA), null),
      change(null, place("tag", "v1.0.0")),
    ),
    [
      { ref: "refs/heads/main", sha: SHA },
      { ref: "refs/heads/old", sha: null, event: "repo:push deleted" },
      { ref: "refs/tags/v1.0.0", sha: SHA },
    ],
  ],
  [
    "a tag of the web pages, which has no changes",
    "repo:push",
    push(),
    [{ ref: null, sha: null, event: "repo:push without changes" }],
  ],
  [
    "a named branch of Mercurial",
    "repo:push",
    push(change(null, place("named_branch", "default"))),
    { ignored: /neither a branch nor a tag/ },
  ],
  [
    "a change without both sides beside a branch",
    "repo:push",
    push(change(null, null), change(null, place("branch", "main"))),
    [{ ref: "refs/heads/main", sha: SHA }],
  ],
  [
    "a branch without a target",
    "repo:push",
    push(change(null, { type: "branch", name: "main" })),
    [{ ref: "refs/heads/main", sha: null }],
  ],
  [
    "a build that began",
    "repo:commit_status_created",
    status(),
    [{ ref: null, sha: SHA, event: "repo:commit_status_created INPROGRESS" }],
  ],
  [
    "a build that ended",
    "repo:commit_status_updated",
    status({ state: "SUCCESSFUL" }),
    [{ ref: null, sha: SHA, event: "repo:commit_status_updated SUCCESSFUL" }],
  ],
  [
    "a build that was stopped",
    "repo:commit_status_updated",
    status({ state: "STOPPED" }),
    [{ ref: null, sha: SHA, event: "repo:commit_status_updated STOPPED" }],
  ],
  [
    "a build whose commit is in its link only, as documented",
    "repo:commit_status_created",
    status({ commit: undefined }),
    [{ ref: null, sha: SHA, event: "repo:commit_status_created INPROGRESS" }],
  ],
  [
    "a build without a commit",
    "repo:commit_status_created",
    status({ commit: undefined, links: {} }),
    { ignored: /names no commit/ },
  ],
  [
    "a report of ours",
    "repo:commit_status_updated",
    status({ key: "deliverd/api", name: "deliverd/api" }),
    { ignored: /our own report/ },
  ],
  [
    "a report of ours with a short key",
    "repo:commit_status_created",
    status({ key: `deliverd/a-long-n~${"0".repeat(20)}`, name: null }),
    { ignored: /our own report/ },
  ],
  [
    "a renamed repo",
    "repo:updated",
    { repository, actor, changes: { full_name: { old: "acme/old", new: "acme/api" } } },
    [{ ref: null, sha: null }],
  ],
  ["a moved repo", "repo:transfer", { repository, actor, previous_owner: actor }, [{ ref: null, sha: null }]],
  ["a deleted repo", "repo:deleted", { repository, actor }, { ignored: /repo:deleted/ }],
  ["a fork", "repo:fork", { repository, fork: repository, actor }, { ignored: /repo:fork/ }],
  ["a comment", "repo:commit_comment_created", { repository, comment: {} }, { ignored: /commit_comment/ }],
  ["a pull request", "pullrequest:created", { repository, pullrequest: { id: 1 } }, { ignored: /pullrequest/ }],

  ["a push without a repo", "repo:push", { push: { changes: [] } }, { malformed: /repository: / }],
  [
    "a push whose repo has no UUID",
    "repo:push",
    { ...push(), repository: { ...repository, uuid: UUID } },
    { malformed: /repository\.uuid: / },
  ],
  [
    "a push with a path that leads elsewhere",
    "repo:push",
    { ...push(), repository: { ...repository, full_name: "acme/.." } },
    { malformed: /full_name: / },
  ],
  [
    "a push of a repo in no workspace",
    "repo:push",
    { ...push(), repository: { ...repository, full_name: "api" } },
    { malformed: /full_name: / },
  ],
  [
    "a push of a nested repo",
    "repo:push",
    { ...push(), repository: { ...repository, full_name: "a/b/c" } },
    { malformed: /full_name: / },
  ],
  [
    "a push with a control character in its ref",
    "repo:push",
    push(change(null, place("branch", "a\u0000"))),
    { malformed: /new\.name: / },
  ],
  [
    "a push of half a commit",
    "repo:push",
    push(change(null, place("branch", "main", SHA.slice(0, 20)))),
    { malformed: /target\.hash: / },
  ],
  ["a push without a list of changes", "repo:push", { repository, push: {} }, { malformed: /push\.changes: / }],
  [
    "a build without a state",
    "repo:commit_status_created",
    status({ state: null }),
    { malformed: /commit_status\.state: / },
  ],
  [
    "a renamed repo without its name",
    "repo:updated",
    { repository: { uuid: `{${UUID}}` } },
    { malformed: /full_name: / },
  ],
];

const table: WebhookExample[] = rows.map(([what, event, body, expected]) => ({
  what,
  headers: {
    "user-agent": "Bitbucket-Webhooks/2.0",
    "x-event-key": event,
    "x-hook-uuid": "5a2f8e1c-77a1-4a39-9c4e-0d9f4f3b1f77",
    "x-request-uuid": "8ac1b2d0-6a75-4d0b-9f1f-3c5f4c9b0e11",
    "x-attempt-number": "1",
  },
  body,
  expected: Array.isArray(expected) ? { hints: expected.map((hint) => ({ event, ...hint })) } : expected,
}));

export const bitbucketCloud: HostExamples = {
  type: "bitbucket",
  settings: { type: "bitbucket", apiUrl: "http://127.0.0.1:9/2.0", webhookSecret: SECRET },
  repo,
  sign: (body) => ({ "x-hub-signature": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}` }),
  signatureHeader: "x-hub-signature",
  table,
  aims: [
    ["push"],
    ["push", "changes"],
    ["push", "changes", "0"],
    ["push", "changes", "0", "new"],
    ["push", "changes", "0", "old"],
    ["push", "changes", "0", "new", "name"],
    ["push", "changes", "0", "new", "type"],
    ["push", "changes", "0", "new", "target"],
    ["push", "changes", "0", "new", "target", "hash"],
    ["commit_status"],
    ["commit_status", "key"],
    ["commit_status", "name"],
    ["commit_status", "state"],
    ["commit_status", "commit"],
    ["commit_status", "commit", "hash"],
    ["commit_status", "links", "commit", "href"],
    ["repository"],
    ["repository", "uuid"],
    ["repository", "full_name"],
    ["repository", "scm"],
  ],
};

/** For tests of what the examples do not show. */
export const cloudBodies = { repository, push };
