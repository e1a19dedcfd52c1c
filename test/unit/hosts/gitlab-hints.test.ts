import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { hintReader } from "../../../src/hosts/gitlab/hints.ts";
import { webhookProof } from "../../../src/hosts/gitlab/signature.ts";
import { BadSignature, MalformedWebhook, type RawWebhook } from "../../../src/hosts/host.ts";

const TOKEN = "a plain secret token";
const KEY = Buffer.alloc(32, 7);
const SIGNING_TOKEN = `whsec_${KEY.toString("base64")}`;
const NOW = Date.UTC(2026, 0, 1);
const SHA = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";
const TAG_OBJECT = "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7";
const ZERO = "0".repeat(40);

const byToken = hintReader(webhookProof("gitlab", TOKEN), () => NOW);
const bySignature = hintReader(webhookProof("gitlab", SIGNING_TOKEN), () => NOW);

const project = {
  id: 15,
  name: "Diaspora Client",
  web_url: "https://gitlab.example.com/acme/platform/api",
  namespace: "Platform",
  path_with_namespace: "acme/platform/api",
  default_branch: "main",
};
const repo = { hostId: "15", owner: "acme/platform", name: "api", defaultBranch: "main" };
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

type Expected = { ref: string | null; sha: string | null; event: string } | { ignored: RegExp };
const table: [what: string, body: Record<string, unknown>, Expected][] = [
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
    {
      event_name: "project_rename",
      project_id: 15,
      path_with_namespace: "acme/new",
      old_path_with_namespace: "acme/old",
    },
    { ignored: /project_rename/ },
  ],
  ["an event without a name", { project }, { ignored: /without a name/ }],
];

const request = (body: unknown, headers: Record<string, string> = {}): RawWebhook => ({
  headers: { "x-gitlab-token": TOKEN, "x-gitlab-event-uuid": "13792a34", ...headers },
  body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
});

describe("GitLab's webhook of", () => {
  for (const [what, body, expected] of table) {
    it(`${what} is ${"ignored" in expected ? "ignored" : "a hint"}`, async () => {
      const reading = await byToken(request(body));
      if ("ignored" in expected) assert.match("ignored" in reading ? reading.ignored : "", expected.ignored);
      else assert.deepEqual(reading, { hints: [{ repo, ...expected, deliveryId: "13792a34" }] });
    });
  }

  const broken: [what: string, body: unknown][] = [
    ["a push without a project", push({ project: undefined })],
    ["a push whose project has no id", push({ project: { ...project, id: "15" } })],
    ["a push with a path that leads elsewhere", push({ project: { ...project, path_with_namespace: "acme/../api" } })],
    ["a push of a project in no group", push({ project: { ...project, path_with_namespace: "api" } })],
    ["a push with a control character in its ref", push({ ref: "refs/heads/a\u0000" })],
    ["a push of half a commit", push({ after: SHA.slice(0, 20) })],
    ["a pipeline without a commit", pipeline({ sha: null })],
  ];
  for (const [what, body] of broken) {
    it(`${what} is malformed, and the message holds no value`, async () => {
      const error = await byToken(request(body)).catch((caught: unknown) => caught);
      assert.ok(error instanceof MalformedWebhook, String(error));
      assert.match(error.message, /^The body is no '\w+' event: [\w.]+: /);
    });
  }

  it("what is no JSON is malformed", async () => {
    await assert.rejects(byToken(request("{")), MalformedWebhook);
    await assert.rejects(byToken(request("custom: template")), MalformedWebhook);
  });

  it("any body that is well signed is read, ignored or malformed", async () => {
    const bases = table.map(([, body]) => body);
    const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(SHA, ZERO, "refs/heads/x", project, [], {}));
    const spoilt = fc
      .tuple(
        fc.constantFrom(...bases),
        fc.constantFrom("", "object_attributes.", "project."),
        fc.string(),
        value,
        fc.nat(),
      )
      .map(([base, where, name, put, pick]) => {
        const copy = structuredClone(base) as Record<string, unknown>;
        const at = where === "" ? copy : ((copy[where.slice(0, -1)] ?? {}) as Record<string, unknown>);
        const keys = Object.keys(at);
        at[keys.length === 0 || pick % 5 === 0 ? name : (keys[pick % keys.length] ?? name)] = put;
        return JSON.stringify(copy);
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(spoilt, fc.json(), fc.string()), async (body) => {
        try {
          const reading = await byToken(request(body));
          if ("ignored" in reading) return;
          for (const { repo, sha, ref } of reading.hints) {
            assert.match(`${repo.owner}/${repo.name}`, /^[\w.~-]+(?:\/[\w.~-]+)+$/);
            assert.match(sha ?? SHA, /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
            assert.match(ref ?? "refs/heads/x", /^refs\/(?:heads|tags)\//);
          }
        } catch (error) {
          // An empty body is not what anybody has signed.
          assert.ok(error instanceof MalformedWebhook || (error instanceof BadSignature && body === ""), String(error));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("A webhook of GitLab with a signing token", () => {
  const body = Buffer.from(JSON.stringify(push()));
  const stamp = (at = NOW) => ({ "webhook-id": "msg_1", "webhook-timestamp": String(Math.floor(at / 1000)) });
  const sign = (headers: Record<string, string>, of = body, key = KEY) =>
    `v1,${createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`).update(of).digest("base64")}`;
  const signed = (at = NOW) => ({ ...stamp(at), "webhook-signature": sign(stamp(at)) });
  const isTaken = (headers: Record<string, string>, of = body) =>
    bySignature({ headers, body: of }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof BadSignature) return false;
        throw error;
      },
    );

  it("is taken by its signature, and by one of several", async () => {
    assert.equal(await isTaken(signed()), true);
    const right = sign(stamp());
    const several = `v1,${"A".repeat(43)}= v2,x ${right}`;
    assert.equal(await isTaken({ ...stamp(), "webhook-signature": several }), true);
  });

  const wrong: [what: string, headers: Record<string, string>][] = [
    ["without a signature, although the token beside it is right", { "x-gitlab-token": SIGNING_TOKEN }],
    ["with an empty signature", { ...stamp(), "webhook-signature": "" }],
    ["with a signature by another key", { ...stamp(), "webhook-signature": sign(stamp(), body, Buffer.alloc(32, 8)) }],
    [
      "with a signature by the text of the signing token",
      { ...stamp(), "webhook-signature": sign(stamp(), body, Buffer.from(SIGNING_TOKEN)) },
    ],
    ["with another version of signature", { ...stamp(), "webhook-signature": sign(stamp()).replace("v1,", "v2,") }],
    ["with a signature without its version", { ...stamp(), "webhook-signature": sign(stamp()).slice(3) }],
    ["with the signature of another id", { ...signed(), "webhook-id": "msg_2" }],
    ["without an id", { "webhook-timestamp": stamp()["webhook-timestamp"], "webhook-signature": sign(stamp()) }],
    [
      "with a time that is no number",
      { ...stamp(), "webhook-timestamp": "now", "webhook-signature": sign({ ...stamp(), "webhook-timestamp": "now" }) },
    ],
    ["that is six minutes old", signed(NOW - 360_000)],
    ["that is six minutes early", signed(NOW + 360_000)],
  ];
  for (const [what, headers] of wrong)
    it(`is refused ${what}`, async () => {
      assert.equal(await isTaken(headers), false);
    });

  it("is taken within five minutes, by clocks that differ", async () => {
    for (const skew of [-299_000, 299_000]) assert.equal(await isTaken(signed(NOW + skew)), true);
  });

  it("is refused with another body", async () => {
    assert.equal(await isTaken(signed(), Buffer.concat([body, Buffer.from(" ")])), false);
    assert.equal(await isTaken(signed(), Buffer.alloc(0)), false);
  });
});

describe("The secret of GitLab's webhooks", () => {
  it("may be any text, and line ends do not count, as GitLab sends none", async () => {
    const read = hintReader(webhookProof("gitlab", `${TOKEN}\n`));
    assert.ok("hints" in (await read(request(push()))));
    for (const other of ["", TOKEN.slice(1), `${TOKEN}x`, TOKEN.toUpperCase()]) {
      await assert.rejects(byToken(request(push(), { "x-gitlab-token": other })), BadSignature);
    }
  });

  for (const [secret, code] of [
    ["", "gitlab-webhook-secret-missing"],
    [" \n", "gitlab-webhook-secret-missing"],
    ["whsec_", "gitlab-signing-token-invalid"],
    ["whsec_not base64", "gitlab-signing-token-invalid"],
    ["whsec_c2hvcnQ=", "gitlab-signing-token-invalid"],
  ] as const) {
    it(`cannot be ${JSON.stringify(secret)}`, () => {
      assert.throws(
        () => webhookProof("lab", secret),
        (error) =>
          error instanceof ConfigError && error.code === code && /hosts\.lab\.webhookSecret/.test(error.message),
      );
    });
  }

  it("proves a request that deliverd sends to itself", async () => {
    for (const [proof, read] of [
      [webhookProof("gitlab", TOKEN), byToken],
      [webhookProof("gitlab", SIGNING_TOKEN), bySignature],
    ] as const) {
      const body = Buffer.from('{"object_kind":"ping"}');
      assert.match(JSON.stringify(await read({ headers: proof.headersFor(body, NOW), body })), /ignored.*ping/);
    }
  });
});
