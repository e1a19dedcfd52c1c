import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { cloudHost } from "../../../src/hosts/bitbucket/cloud/host.ts";
import { MalformedWebhook, type RawWebhook } from "../../../src/hosts/host.ts";

const SECRET = "a secret of Bitbucket's";
const SHA = "709d658dc5b6d6afcd46049c2f332ee3f515a67d";
const OLD_SHA = "1e65c05c1d5171631d92438a13901ca7dae9618c";
const UUID = "673a6070-3421-46c9-9d48-90745f7bfe8e";

const host = cloudHost({
  key: "bitbucket",
  apiUrl: "https://api.bitbucket.org/2.0",
  cloneUrl: "https://bitbucket.org",
  username: null,
  webhookSecret: SECRET,
  token: null,
});

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

type Hinted = { ref: string | null; sha: string | null; event?: string };
type Expected = Hinted[] | { ignored: RegExp };
const table: [what: string, event: string, body: Record<string, unknown>, Expected][] = [
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
];

const sign = (body: Buffer) => `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
const request = (event: string, value: unknown): RawWebhook => {
  const body = Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  return { body, headers: { "x-event-key": event, "x-request-uuid": "8ac1", "x-hub-signature": sign(body) } };
};

describe("Bitbucket Cloud's webhook of", () => {
  for (const [what, event, body, expected] of table) {
    it(`${what} is ${"ignored" in expected ? "ignored" : "a hint"}`, async () => {
      const reading = await host.readHints(request(event, body));
      if ("ignored" in expected) assert.match("ignored" in reading ? reading.ignored : "", expected.ignored);
      else {
        const hints = expected.map((each) => ({ repo, deliveryId: "8ac1", event, ...each }));
        assert.deepEqual(reading, { hints });
      }
    });
  }

  const broken: [what: string, event: string, body: unknown][] = [
    ["a push without a repo", "repo:push", { push: { changes: [] } }],
    ["a push whose repo has no UUID", "repo:push", { ...push(), repository: { ...repository, uuid: UUID } }],
    [
      "a push with a path that leads elsewhere",
      "repo:push",
      { ...push(), repository: { ...repository, full_name: "acme/.." } },
    ],
    ["a push of a repo in no workspace", "repo:push", { ...push(), repository: { ...repository, full_name: "api" } }],
    ["a push of a nested repo", "repo:push", { ...push(), repository: { ...repository, full_name: "a/b/c" } }],
    ["a push with a control character in its ref", "repo:push", push(change(null, place("branch", "a\u0000")))],
    ["a push of half a commit", "repo:push", push(change(null, place("branch", "main", SHA.slice(0, 20))))],
    ["a push without a list of changes", "repo:push", { repository, push: {} }],
    ["a build without a state", "repo:commit_status_created", status({ state: null })],
    ["a renamed repo without its name", "repo:updated", { repository: { uuid: `{${UUID}}` } }],
  ];
  for (const [what, event, body] of broken) {
    it(`${what} is malformed, and the message holds no value`, async () => {
      const error = await host.readHints(request(event, body)).catch((caught: unknown) => caught);
      assert.ok(error instanceof MalformedWebhook, String(error));
      assert.match(error.message, /^The body is no '[\w:]+' event: [\w.]+: /);
    });
  }

  it("what is no JSON, no UTF-8 or has no event is malformed", async () => {
    await assert.rejects(host.readHints(request("repo:push", "{")), MalformedWebhook);
    const body = Buffer.from([0x22, 0xff, 0x22]);
    const headers = { "x-event-key": "repo:push", "x-hub-signature": sign(body) };
    await assert.rejects(host.readHints({ headers, body }), MalformedWebhook);
    await assert.rejects(host.readHints(request("", push())), MalformedWebhook);
  });

  it("any body that is well signed is read, ignored or malformed", async () => {
    const bases = table.map(([, event, body]) => [event, body] as const);
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(SHA, "refs/heads/x", repository, null, [], {}),
    );
    const spoilt = fc
      .tuple(
        fc.constantFrom(...bases),
        fc.constantFrom("", "push", "repository", "commit_status"),
        fc.string(),
        value,
        fc.nat(),
      )
      .map(([[event, base], where, name, put, pick]) => {
        const copy = structuredClone(base) as Record<string, unknown>;
        const at = where === "" ? copy : ((copy[where] ?? {}) as Record<string, unknown>);
        const keys = Object.keys(at);
        at[keys.length === 0 || pick % 5 === 0 ? name : (keys[pick % keys.length] ?? name)] = put;
        return [event, JSON.stringify(copy)] as const;
      });
    const junk = fc.tuple(
      fc.constantFrom(...bases.map(([event]) => event)),
      fc.oneof(fc.json(), fc.string({ minLength: 1 })),
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(spoilt, junk), async ([event, body]) => {
        try {
          const reading = await host.readHints(request(event, body));
          if ("ignored" in reading) return;
          for (const hint of reading.hints) {
            assert.match(`${hint.repo.owner}/${hint.repo.name}`, /^[\w.~-]+\/[\w.~-]+$/);
            assert.match(hint.repo.hostId, /^[0-9a-f-]{36}$/);
            assert.match(hint.sha ?? SHA, /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
            assert.match(hint.ref ?? "refs/heads/x", /^refs\/(?:heads|tags)\//);
          }
        } catch (error) {
          assert.ok(error instanceof MalformedWebhook, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
