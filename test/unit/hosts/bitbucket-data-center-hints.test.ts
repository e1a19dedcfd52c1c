import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { dataCenterHost } from "../../../src/hosts/bitbucket/data-center/host.ts";
import { MalformedWebhook, type RawWebhook } from "../../../src/hosts/host.ts";

const SECRET = "a secret of Data Center's";
const SHA = "fb522a6f08c7c7df337312e4e65ec1b57710672e";
const OTHER_SHA = "ae995d7a37069d0988462a9c92828971e8a42b5d";
const TAG_OBJECT = "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7";
const ZERO = "0".repeat(40);

const url = "https://git.example.com";
const host = dataCenterHost({
  ...{ key: "bitbucket", url, cloneUrl: `${url}/scm`, username: null, webhookSecret: SECRET, token: null },
});

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

type Expected = { ref: string | null; sha: string | null; event?: string }[] | { ignored: RegExp };
const table: [what: string, body: Record<string, unknown>, Expected, event?: string][] = [
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
    [{ ref: "refs/heads/main", sha: SHA }],
  ],
  [
    "a mirror that has caught up",
    {
      ...refsChanged([change("refs/heads/main", "UPDATE")]),
      eventKey: "mirror:repo_synchronized",
      syncType: "INCREMENTAL",
    },
    [{ ref: "refs/heads/main", sha: SHA, event: "mirror:repo_synchronized" }],
  ],
  [
    "a mirror with too many refs to name",
    { ...refsChanged(undefined), eventKey: "mirror:repo_synchronized", refLimitExceeded: true },
    [{ ref: null, sha: null, event: "mirror:repo_synchronized without changes" }],
  ],
  [
    "a renamed repo",
    { eventKey: "repo:modified", actor, old: { ...repository, slug: "old" }, new: repository },
    [{ ref: null, sha: null, event: "repo:modified" }],
  ],
  [
    "a repo that moved to another project",
    { eventKey: "repo:modified", actor, old: { ...repository, project: { key: "OLD" } }, new: repository },
    [{ ref: null, sha: null, event: "repo:modified" }],
  ],
  ["a test of the connection", { test: true }, { ignored: /ping/ }, "diagnostics:ping"],
  ["a renamed project", { eventKey: "project:modified", actor, old: {}, new: {} }, { ignored: /project:modified/ }],
  ["a fork", { eventKey: "repo:forked", actor, repository }, { ignored: /repo:forked/ }],
  ["a comment", { eventKey: "repo:comment:added", actor, repository, commit: SHA }, { ignored: /comment/ }],
  ["a pull request", { eventKey: "pr:opened", actor, pullRequest: { id: 1 } }, { ignored: /pr:opened/ }],
];

const sign = (body: Buffer) => `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
const request = (value: unknown, event = "repo:refs_changed"): RawWebhook => {
  const body = Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  return { body, headers: { "x-event-key": event, "x-request-id": "d872ad25", "x-hub-signature": sign(body) } };
};

describe("Bitbucket Data Center's webhook of", () => {
  for (const [what, body, expected, event] of table) {
    it(`${what} is ${"ignored" in expected ? "ignored" : "a hint"}`, async () => {
      const reading = await host.readHints(request(body, event));
      if ("ignored" in expected) assert.match("ignored" in reading ? reading.ignored : "", expected.ignored);
      else {
        const owner = (body.repository as typeof repository | undefined)?.project.key ?? "ACME";
        const facts = { repo: { ...repo, owner }, deliveryId: "d872ad25", event: "repo:refs_changed" };
        assert.deepEqual(reading, { hints: expected.map((each) => ({ ...facts, ...each })) });
      }
    });
  }

  it("one event under the name of another is read by its body, which is signed", async () => {
    const body = refsChanged([change("refs/heads/main", "UPDATE")]);
    const reading = await host.readHints(request(body, "diagnostics:ping"));
    assert.ok("hints" in reading && reading.hints.length === 1);
  });

  const broken: [what: string, body: unknown][] = [
    ["a push without a repo", { ...refsChanged([]), repository: undefined }],
    ["a push whose repo has no number", refsChanged([], { repository: { ...repository, id: "84" } })],
    ["a push with a slug that leads elsewhere", refsChanged([], { repository: { ...repository, slug: ".." } })],
    ["a push with a key that has a slash", refsChanged([], { repository: { ...repository, project: { key: "a/b" } } })],
    ["a push with a control character in its ref", refsChanged([change("refs/heads/a\u0000", "ADD")])],
    ["a push of half a commit", refsChanged([change("refs/heads/main", "ADD", SHA.slice(0, 20))])],
    ["a push whose changes are no list", refsChanged("many")],
    ["a renamed repo without its new name", { eventKey: "repo:modified", old: repository }],
  ];
  for (const [what, body] of broken) {
    it(`${what} is malformed, and the message holds no value`, async () => {
      const error = await host.readHints(request(body)).catch((caught: unknown) => caught);
      assert.ok(error instanceof MalformedWebhook, String(error));
      assert.match(error.message, /^The body is no '[\w:]+' event: [\w.]+: /);
    });
  }

  it("what is no JSON or has no event is malformed", async () => {
    await assert.rejects(host.readHints(request("{")), MalformedWebhook);
    await assert.rejects(host.readHints(request({ test: true }, "")), MalformedWebhook);
  });

  it("any body that is well signed is read, ignored or malformed", async () => {
    const bases = table.map(([, body]) => body);
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(SHA, "refs/heads/x", repository, null, [], {}),
    );
    const spoilt = fc
      .tuple(
        fc.constantFrom(...bases),
        fc.constantFrom("", "repository", "toCommit", "new"),
        fc.string(),
        value,
        fc.nat(),
      )
      .map(([base, where, name, put, pick]) => {
        const copy = structuredClone(base) as Record<string, unknown>;
        const at = where === "" ? copy : ((copy[where] ?? {}) as Record<string, unknown>);
        const keys = Object.keys(at);
        at[keys.length === 0 || pick % 5 === 0 ? name : (keys[pick % keys.length] ?? name)] = put;
        return JSON.stringify(copy);
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(spoilt, fc.json(), fc.string({ minLength: 1 })), async (body) => {
        try {
          const reading = await host.readHints(request(body));
          if ("ignored" in reading) return;
          for (const hint of reading.hints) {
            assert.match(`${hint.repo.owner}/${hint.repo.name}`, /^[\w.~-]+\/[\w.~-]+$/);
            assert.match(hint.repo.hostId, /^\d+$/);
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
