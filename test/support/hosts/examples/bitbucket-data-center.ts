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

/** The webhooks of Bitbucket Data Center, shaped after confluence.atlassian.com/bitbucketserver/event-payload. */

const SECRET = "examples of Data Center";
const OTHER_SHA = "ae995d7a37069d0988462a9c92828971e8a42b5d";

const repository = {
  slug: "api",
  id: 84,
  name: "The API",
  hierarchyId: "12cb3c28a34e6d0a78c6",
  scmId: "git",
  state: "AVAILABLE",
  statusMessage: "Available",
  forkable: true,
  project: { key: "ACME", id: 7, name: "Acme", public: false, type: "NORMAL" },
  public: false,
  archived: false,
};
const repo = { hostId: "84", owner: "ACME", name: "api", defaultBranch: null };
const actor = { name: "admin", emailAddress: "admin@example.com", active: true, id: 2, slug: "admin", type: "NORMAL" };

const change = (ref: string, type: string, toHash = SHA, fromHash = ZERO) => ({
  ref: { id: ref, displayId: ref.replace(/^refs\/\w+\//, ""), type: ref.startsWith("refs/tags/") ? "TAG" : "BRANCH" },
  refId: ref,
  fromHash,
  toHash,
  type,
});
const refsChanged = (changes: unknown, more: Record<string, unknown> = {}) => ({
  eventKey: "repo:refs_changed",
  date: "2026-01-31T12:00:00+0000",
  actor,
  repository,
  changes,
  ...more,
});
/** Newer versions add what the one change leads to. */
const leadingTo = (id: string) => ({
  commits: [{ id, displayId: id.slice(0, 11), message: "Suppress echo", parents: [] }],
  toCommit: { id, displayId: id.slice(0, 11), committerTimestamp: "2018-09-21T14:09:51.000Z", parents: [] },
});

type Row = [what: string, body: Record<string, unknown>, Expected, event?: string];
type Expected =
  | (Omit<HintFacts, "event"> & { event?: string })[]
  | Extract<ExpectedReading, { ignored: RegExp } | { malformed: RegExp }>;

const rows: Row[] = [
  [
    "a push to a branch",
    refsChanged([change("refs/heads/main", "UPDATE", SHA, OTHER_SHA)]),
    [{ ref: "refs/heads/main", sha: SHA }],
  ],
  [
    "a push of a newer version, which names the commit",
    refsChanged([change("refs/heads/main", "UPDATE")], leadingTo(SHA)),
    [{ ref: "refs/heads/main", sha: SHA }],
  ],
  ["a new branch", refsChanged([change("refs/heads/feature/x", "ADD")]), [{ ref: "refs/heads/feature/x", sha: SHA }]],
  [
    "a deleted branch",
    refsChanged([change("refs/heads/old", "DELETE", ZERO, SHA)]),
    [{ ref: "refs/heads/old", sha: null, event: "repo:refs_changed deleted" }],
  ],
  [
    "a deleted branch by its id alone",
    refsChanged([{ ref: { id: "refs/heads/old" }, toHash: ZERO }]),
    [{ ref: "refs/heads/old", sha: null, event: "repo:refs_changed deleted" }],
  ],
  [
    "a lightweight tag of a newer version",
    refsChanged([change("refs/tags/v1.0.0", "ADD")], leadingTo(SHA)),
    [{ ref: "refs/tags/v1.0.0", sha: SHA }],
  ],
  [
    "an annotated tag of a newer version, whose toHash is the tag object",
    refsChanged([change("refs/tags/v1.0.0", "ADD", TAG_OBJECT)], leadingTo(SHA)),
    [{ ref: "refs/tags/v1.0.0", sha: SHA }],
  ],
  [
    "a tag of an older version, which may be annotated",
    refsChanged([change("refs/tags/v1.0.0", "ADD", TAG_OBJECT)]),
    [{ ref: "refs/tags/v1.0.0", sha: null }],
  ],
  [
    "a tag that moved",
    refsChanged([change("refs/tags/v1.0.0", "UPDATE", TAG_OBJECT, OTHER_SHA)], leadingTo(SHA)),
    [{ ref: "refs/tags/v1.0.0", sha: SHA }],
  ],
  [
    "a deleted tag",
    refsChanged([change("refs/tags/v1.0.0", "DELETE", ZERO, TAG_OBJECT)]),
    [{ ref: "refs/tags/v1.0.0", sha: null, event: "repo:refs_changed deleted" }],
  ],
  [
    "several refs in one push, whose one commit belongs to any of them",
    refsChanged(
      [
        change("refs/heads/main", "UPDATE", OTHER_SHA),
        change("refs/heads/old", "DELETE", ZERO),
        change("refs/tags/v1.0.0", "ADD", TAG_OBJECT),
      ],
      leadingTo(SHA),
    ),
    [
      { ref: "refs/heads/main", sha: OTHER_SHA },
      { ref: "refs/heads/old", sha: null, event: "repo:refs_changed deleted" },
      { ref: "refs/tags/v1.0.0", sha: null },
    ],
  ],
  [
    "a push of another kind of ref",
    refsChanged([change("refs/notes/commits", "ADD")]),
    { ignored: /neither a branch/ },
  ],
  [
    "a push of a branch and of another kind of ref",
    refsChanged([change("refs/notes/commits", "ADD"), change("refs/heads/main", "ADD")]),
    [{ ref: "refs/heads/main", sha: SHA }],
  ],
  ["a push without changes", refsChanged([]), [{ ref: null, sha: null, event: "repo:refs_changed without changes" }]],
  [
    "a commit in capital letters",
    refsChanged([change("refs/heads/main", "UPDATE", SHA.toUpperCase())]),
    [{ ref: "refs/heads/main", sha: SHA }],
  ],
  [
    "a push to the repo of a person",
    refsChanged([change("refs/heads/main", "UPDATE")], {
      repository: { ...repository, project: { key: "~sam", id: 9, type: "PERSONAL" } },
    }),
    [{ ref: "refs/heads/main", sha: SHA, repo: { ...repo, owner: "~sam" } }],
  ],
  [
    "a mirror that has caught up",
    {
      ...refsChanged([change("refs/heads/main", "UPDATE")]),
      eventKey: "mirror:repo_synchronized",
      syncType: "INCREMENTAL",
    },
    [{ ref: "refs/heads/main", sha: SHA }],
  ],
  [
    "a mirror with too many refs to name",
    { ...refsChanged(undefined), eventKey: "mirror:repo_synchronized", refLimitExceeded: true },
    [{ ref: null, sha: null, event: "mirror:repo_synchronized without changes" }],
  ],
  [
    "a renamed repo",
    { eventKey: "repo:modified", actor, old: repository, new: { ...repository, slug: "new" } },
    [{ ref: null, sha: null, repo: { ...repo, name: "new" } }],
  ],
  [
    "a repo that moved to another project",
    { eventKey: "repo:modified", actor, old: repository, new: { ...repository, project: { key: "NEW" } } },
    [{ ref: null, sha: null, repo: { ...repo, owner: "NEW" } }],
  ],
  ["a test of the connection", { test: true }, { ignored: /ping/ }, "diagnostics:ping"],
  ["a renamed project", { eventKey: "project:modified", actor, old: {}, new: {} }, { ignored: /project:modified/ }],
  ["a fork", { eventKey: "repo:forked", actor, repository }, { ignored: /repo:forked/ }],
  ["a comment", { eventKey: "repo:comment:added", actor, repository, commit: SHA }, { ignored: /comment/ }],
  ["a pull request", { eventKey: "pr:opened", actor, pullRequest: { id: 1 } }, { ignored: /pr:opened/ }],

  ["a push without a repo", { ...refsChanged([]), repository: undefined }, { malformed: /repository: / }],
  [
    "a push whose repo has no number",
    refsChanged([], { repository: { ...repository, id: "84" } }),
    { malformed: /repository\.id: / },
  ],
  [
    "a push with a slug that leads elsewhere",
    refsChanged([], { repository: { ...repository, slug: ".." } }),
    { malformed: /repository\.slug: / },
  ],
  [
    "a push with a key that has a slash",
    refsChanged([], { repository: { ...repository, project: { key: "a/b" } } }),
    { malformed: /project\.key: / },
  ],
  [
    "a push with a control character in its ref",
    refsChanged([change("refs/heads/a\u0000", "ADD")]),
    { malformed: /ref\.id: / },
  ],
  [
    "a push of half a commit",
    refsChanged([change("refs/heads/main", "ADD", SHA.slice(0, 20))]),
    { malformed: /toHash: / },
  ],
  ["a push whose changes are no list", refsChanged("many"), { malformed: /changes: / }],
  ["a renamed repo without its new name", { eventKey: "repo:modified", old: repository }, { malformed: /new: / }],
];

const table: WebhookExample[] = rows.map(([what, body, expected, header]) => {
  const event = header ?? String(body.eventKey);
  return {
    what,
    headers: { "x-event-key": event, "x-request-id": "d872ad25-24fe-4278-a73a-2a10ed6b653d" },
    body,
    expected: Array.isArray(expected) ? { hints: expected.map((hint) => ({ event, ...hint })) } : expected,
  };
});

export const bitbucketDataCenter: HostExamples = {
  type: "bitbucket",
  key: "bitbucket-dc",
  settings: { type: "bitbucket", url: "http://127.0.0.1:9", webhookSecret: SECRET },
  repo,
  sign: (body) => ({ "x-hub-signature": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}` }),
  signatureHeader: "x-hub-signature",
  table,
  aims: [
    ["eventKey"],
    ["changes"],
    ["changes", "0"],
    ["changes", "0", "ref"],
    ["changes", "0", "ref", "id"],
    ["changes", "0", "toHash"],
    ["changes", "0", "type"],
    ["toCommit"],
    ["toCommit", "id"],
    ["new"],
    ["new", "id"],
    ["new", "slug"],
    ["repository"],
    ["repository", "id"],
    ["repository", "slug"],
    ["repository", "project"],
    ["repository", "project", "key"],
  ],
};

/** For tests of what the examples do not show. */
export const dataCenterBodies = { repository, change, refsChanged };
