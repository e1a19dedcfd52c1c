import { Webhook } from "standardwebhooks";
import { type ExpectedReading, type HintFacts, type HostExamples, SHA, TAG_OBJECT, ZERO } from "./host-examples.ts";

/** As docs/reference/hosts/generic.md describes them. */

const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
const repo = { hostId: "acme/api", owner: "acme", name: "api", defaultBranch: null };

const push = (more: Record<string, unknown> = {}) => ({
  type: "push",
  repo: "acme/api",
  ref: "refs/heads/main",
  sha: SHA,
  ...more,
});
const about = (type: string, more: Record<string, unknown> = {}) => ({ type, repo: "acme/api", sha: SHA, ...more });

type Row = [what: string, body: Record<string, unknown>, expected: HintFacts | ExpectedReading];

const rows: Row[] = [
  ["a push to a branch", push(), { ref: "refs/heads/main", sha: SHA, event: "push" }],
  [
    "a push to a branch with slashes",
    push({ ref: "refs/heads/release/1.x" }),
    { ref: "refs/heads/release/1.x", sha: SHA, event: "push" },
  ],
  [
    "a push of a commit with 64 digits",
    push({ sha: "a".repeat(64) }),
    { ref: "refs/heads/main", sha: "a".repeat(64), event: "push" },
  ],
  [
    "a push with a commit in upper case",
    push({ sha: SHA.toUpperCase() }),
    { ref: "refs/heads/main", sha: SHA, event: "push" },
  ],
  [
    "a push with keys that deliverd does not know",
    push({ before: ZERO, pusher: { name: "sam" } }),
    { ref: "refs/heads/main", sha: SHA, event: "push" },
  ],
  [
    "a push in a group within a group",
    push({ repo: "acme/platform/api" }),
    {
      ...{ ref: "refs/heads/main", sha: SHA, event: "push" },
      repo: { hostId: "acme/platform/api", owner: "acme/platform", name: "api", defaultBranch: null },
    },
  ],
  ["a deleted branch", push({ sha: ZERO }), { ref: "refs/heads/main", sha: null, event: "push deleted" }],
  [
    "a deleted tag",
    push({ ref: "refs/tags/v1.0.0", sha: ZERO }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "push deleted" },
  ],
  [
    "a lightweight tag, which cannot be told from an annotated one",
    push({ ref: "refs/tags/v1.0.0" }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "push" },
  ],
  [
    "an annotated tag, with its own object",
    push({ ref: "refs/tags/v1.0.0", sha: TAG_OBJECT }),
    { ref: "refs/tags/v1.0.0", sha: null, event: "push" },
  ],
  ["a push of notes", push({ ref: "refs/notes/commits" }), { ignored: /neither a branch nor a tag/ }],
  ["news of CI", about("ci"), { ref: null, sha: SHA, event: "ci" }],
  [
    "a person who asks for a retry",
    about("retry", { person: "sam" }),
    { hints: [], orders: [{ sha: SHA, action: "retry", person: "sam", event: "retry" }] },
  ],
  [
    "a person who cancels",
    about("cancel", { person: "Sam Sample" }),
    { hints: [], orders: [{ sha: SHA, action: "cancel", person: "Sam Sample", event: "cancel" }] },
  ],
  ["a ping", { type: "ping" }, { ignored: /ping/ }],
  ["a report of deliverd's, sent back", about("report", { state: "success" }), { ignored: /'report'/ }],
  ["a type that deliverd does not know", about("merge"), { ignored: /'merge' is not one/ }],
  ["no type", push({ type: undefined }), { malformed: /type: / }],
  ["a push without a repo", push({ repo: undefined }), { malformed: /repo: / }],
  ["a push of a repo without an owner", push({ repo: "api" }), { malformed: /repo: is not <owner>\/<name>/ }],
  ["a push of a repo whose path leads elsewhere", push({ repo: "acme/../api" }), { malformed: /repo: / }],
  ["a push of a repo with a placeholder", push({ repo: "{owner}/{name}" }), { malformed: /repo: / }],
  ["a push with a control character in its ref", push({ ref: "refs/heads/a\u0000" }), { malformed: /ref: / }],
  ["a push of half a commit", push({ sha: SHA.slice(0, 20) }), { malformed: /sha: / }],
  ["news of CI without a commit", about("ci", { sha: null }), { malformed: /sha: / }],
  ["a retry that nobody asked for", about("retry"), { malformed: /person: / }],
];

export const generic: HostExamples = {
  type: "generic",
  settings: { type: "generic", cloneUrl: "http://127.0.0.1:9/{owner}/{name}.git", webhookSecret: SECRET },
  repo,
  sign(body) {
    const id = "msg_2b7e1516";
    const at = new Date();
    return {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(SECRET).sign(id, at, body.toString()),
    };
  },
  signatureHeader: "webhook-signature",
  table: rows.map(([what, body, expected]) => ({
    what,
    headers: { "user-agent": "curl/8.5.0" },
    body,
    expected: "event" in expected ? { hints: [expected] } : expected,
  })),
  aims: [["type"], ["repo"], ["ref"], ["sha"], ["person"]],
};
