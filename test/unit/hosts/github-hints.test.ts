import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { cloneSourceOf } from "../../../src/hosts/github/clone.ts";
import { hintReader } from "../../../src/hosts/github/hints.ts";
import { BadSignature, type Hint, MalformedWebhook, type WebhookReading } from "../../../src/hosts/host.ts";

const SECRET = "It's a Secret to Everybody";
const SHA = "a".repeat(40);
const repository = { id: 7, name: "api", owner: { login: "acme" }, default_branch: "main" };

const readHints = hintReader(SECRET);

const sign = (body: string | Buffer, secret = SECRET, kind = "sha256") =>
  `${kind}=${createHmac(kind, secret).update(body).digest("hex")}`;

function read(event: string, payload: unknown, headers: Record<string, string> = {}): Promise<WebhookReading> {
  const body = Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
  return readHints({
    headers: { "x-github-event": event, "x-github-delivery": "d-1", "x-hub-signature-256": sign(body), ...headers },
    body,
  });
}

async function hint(event: string, payload: unknown): Promise<Hint> {
  const reading = await read(event, payload);
  assert.ok("hints" in reading && reading.hints[0], JSON.stringify(reading));
  return reading.hints[0];
}

const malformed = (event: string, payload: unknown, naming: RegExp) =>
  assert.rejects(read(event, payload), (error) => error instanceof MalformedWebhook && naming.test(error.message));

const examples: { name: string; examples: Record<string, unknown>[] }[] = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("@octokit/webhooks-examples/api.github.com/index.json"), "utf8"),
);

describe("A webhook's signature", () => {
  const body = Buffer.from(JSON.stringify({ zen: "Keep it logically awesome." }));
  const ping = (signatures: Record<string, string>) =>
    readHints({ headers: { "x-github-event": "ping", ...signatures }, body });

  it("is taken when it is SHA-256 over the very bytes, as in GitHub's own example", async () => {
    assert.deepEqual(await ping({ "x-hub-signature-256": sign(body) }), { ignored: "ping" });
    // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    const hello = {
      headers: {
        "x-github-event": "ping",
        "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
      },
      body: Buffer.from("Hello, World!"),
    };
    await assert.rejects(
      readHints(hello),
      (error) => error instanceof MalformedWebhook && /not JSON/.test(error.message),
    );
  });

  const right = sign(body);
  const cases: [string, Record<string, string>][] = [
    ["is missing", {}],
    ["is empty", { "x-hub-signature-256": "" }],
    ["is only there as SHA-1", { "x-hub-signature": sign(body, SECRET, "sha1") }],
    ["is a SHA-1 one under the SHA-256 header", { "x-hub-signature-256": sign(body, SECRET, "sha1") }],
    ["is of another secret", { "x-hub-signature-256": sign(body, "guess") }],
    ["is of other bytes", { "x-hub-signature-256": sign(`${body} `) }],
    ["is cut by one digit", { "x-hub-signature-256": right.slice(0, -1) }],
    ["is cut to its prefix", { "x-hub-signature-256": "sha256=" }],
    ["is longer by one digit", { "x-hub-signature-256": `${right}0` }],
    ["has no prefix", { "x-hub-signature-256": right.slice(7) }],
    ["was sent twice", { "x-hub-signature-256": `${right}, ${right}` }],
    [
      "is right in SHA-1 and wrong in SHA-256",
      { "x-hub-signature": sign(body, SECRET, "sha1"), "x-hub-signature-256": sign("x") },
    ],
  ];
  for (const [what, headers] of cases) {
    it(`is refused when it ${what}`, () => assert.rejects(ping(headers), BadSignature));
  }

  it("is refused over an empty body", async () => {
    const empty = Buffer.alloc(0);
    const headers = { "x-github-event": "ping", "x-hub-signature-256": sign(empty) };
    await assert.rejects(readHints({ headers, body: empty }), BadSignature);
  });

  it("is refused over bytes that are not UTF-8, even where it signs the text that they decode to", async () => {
    const bytes = Buffer.from([0x22, 0xff, 0x22]);
    for (const signed of [bytes, bytes.toString("utf8")]) {
      const headers = { "x-github-event": "ping", "x-hub-signature-256": sign(signed) };
      await assert.rejects(readHints({ headers, body: bytes }), BadSignature);
    }
  });

  it("comes before everything else: a body that is no JSON and unsigned is a bad signature", async () => {
    await assert.rejects(read("push", "{", { "x-hub-signature-256": sign("other") }), BadSignature);
  });
});

describe("GitHub's events", () => {
  it("become hints or are ignored with a reason, in every one of GitHub's examples", async () => {
    for (const { name, examples: payloads } of examples) {
      for (const payload of payloads) {
        const reading = await read(name, payload);
        if ("ignored" in reading) assert.match(reading.ignored, /\S/);
        else
          for (const { repo } of reading.hints)
            assert.equal(repo.hostId, String((payload.repository as { id: number }).id));
      }
    }
  });

  it("tell the commit, the ref and the repo of a pushed branch", async () => {
    const after = "b".repeat(40);
    assert.deepEqual(
      await hint("push", { ref: "refs/heads/main", after, deleted: false, head_commit: { id: after }, repository }),
      {
        repo: { hostId: "7", owner: "acme", name: "api", defaultBranch: "main" },
        event: "push",
        deliveryId: "d-1",
        ref: "refs/heads/main",
        sha: after,
      },
    );
  });

  it("tell the commit behind an annotated tag, never the tag object", async () => {
    const push = { ref: "refs/tags/v1", after: "b".repeat(40), deleted: false, repository };
    assert.equal((await hint("push", { ...push, head_commit: { id: SHA } })).sha, SHA);
    assert.equal((await hint("push", { ...push, head_commit: null })).sha, null);
  });

  it("tell the commit of a branch that was made without a commit of its own", async () => {
    const found = await hint("push", {
      ref: "refs/heads/x",
      after: SHA,
      deleted: false,
      head_commit: null,
      repository,
    });
    assert.equal(found.sha, SHA);
  });

  it("tell of a deleted ref without a commit", async () => {
    const push = { ref: "refs/heads/x", after: "0".repeat(40), deleted: true, head_commit: null, repository };
    const found = await hint("push", push);
    assert.deepEqual([found.event, found.ref, found.sha], ["push deleted", "refs/heads/x", null]);
  });

  it("tell the same of a ref that points to the id of all zeros, whatever else they leave out", async () => {
    for (const ref of ["refs/heads/x", "refs/tags/v1"]) {
      for (const zeros of ["0".repeat(40), "0".repeat(64)]) {
        for (const rest of [{}, { deleted: false, head_commit: null }, { deleted: null, head_commit: { id: zeros } }]) {
          const found = await hint("push", { ref, after: zeros, commits: null, repository, ...rest });
          assert.deepEqual([found.event, found.ref, found.sha], ["push deleted", ref, null]);
        }
      }
    }
  });

  it("tell the commit of a branch where they list no commits at all", async () => {
    const found = await hint("push", { ref: "refs/heads/x", after: SHA, commits: null, repository });
    assert.deepEqual([found.event, found.sha], ["push", SHA]);
  });

  it("tell the full ref of a created branch or tag", async () => {
    assert.equal((await hint("create", { ref: "v1", ref_type: "tag", repository })).ref, "refs/tags/v1");
    assert.equal((await hint("create", { ref: "a/b", ref_type: "branch", repository })).ref, "refs/heads/a/b");
  });

  it("tell the commit of statuses, check runs, check suites and workflow runs", async () => {
    const found = [
      await hint("status", { sha: SHA.toUpperCase(), context: "ci", state: "success", repository }),
      await hint("check_run", { action: "completed", check_run: { head_sha: SHA }, repository }),
      await hint("check_suite", { action: "completed", check_suite: { head_sha: SHA }, repository }),
      await hint("workflow_run", { action: "requested", workflow_run: { head_sha: SHA }, repository }),
    ];
    assert.deepEqual(
      found.map(({ event, ref, sha }) => [event, ref, sha]),
      [
        ["status success", null, SHA],
        ["check_run completed", null, SHA],
        ["check_suite completed", null, SHA],
        ["workflow_run requested", null, SHA],
      ],
    );
  });

  for (const context of ["deliverd", "deliverd/api", "DeliverD/API"]) {
    it(`are ignored as our own report under the context ${context}`, async () => {
      const reading = await read("status", { sha: SHA, context, state: "success", repository });
      assert.deepEqual(reading, { ignored: "our own report" });
    });
  }

  it("are hints under a context that only begins like ours", async () => {
    assert.ok(await hint("status", { sha: SHA, context: "deliverdly", state: "success", repository }));
  });

  it("are ignored by name where deliverd has no use for them", async () => {
    assert.deepEqual(await read("star", { repository }), { ignored: "event 'star' is not one that deliverd acts on" });
    assert.ok("ignored" in (await read("__proto__", { repository })));
    assert.ok("ignored" in (await read("push", { ...pushOf("refs/notes/x"), repository })));
  });
});

const pushOf = (ref: unknown) => ({ ref, after: SHA, deleted: false, head_commit: { id: SHA }, repository });

describe("A malformed webhook body", () => {
  it("is named by what is wrong with it", async () => {
    await malformed("push", "{", /not JSON/);
    await malformed("push", "[]", /no 'push' event/);
    await malformed("push", "null", /no 'push' event/);
    await malformed("push", { zen: "x" }, /no 'push' event: ref/);
    await malformed("status", pushOf("refs/heads/main"), /no 'status' event: sha/);
    await malformed("", pushOf("refs/heads/main"), /X-GitHub-Event/);
  });

  it("is one whose ref is too long or has control characters", async () => {
    await malformed("push", pushOf(`refs/heads/${"x".repeat(1_014)}`), /ref: is longer than 1024/);
    for (const bad of ["\u0000", "\n", "\u001b", "\u0085", "\ud800"]) {
      await malformed("push", pushOf(`refs/heads/a${bad}b`), /ref: has control characters/);
    }
    assert.ok(await hint("push", pushOf(`refs/heads/${"x".repeat(1_013)}`)));
  });

  for (const bad of ["", "a".repeat(39), "g".repeat(40), "a".repeat(41), "--upload-pack=x", `${SHA}\n`, 7, null]) {
    it(`is one whose commit id is ${JSON.stringify(bad)}`, () =>
      malformed("check_run", { action: "completed", check_run: { head_sha: bad }, repository }, /check_run\.head_sha/));
  }

  const repos: [string, object][] = [
    ["owner.login", { owner: { login: ".." } }],
    ["owner.login", { owner: { login: "a/b" } }],
    ["owner.login", { owner: { login: "a\u0000" } }],
    ["owner.login", { owner: {} }],
    ["name", { name: "a b" }],
    ["name", { name: "" }],
    ["id", { id: "7" }],
    ["id", { id: 1e300 }],
    ["id", { id: -1 }],
    ["default_branch", { default_branch: 1 }],
  ];
  for (const [field, change] of repos) {
    it(`is one whose repository.${field} is wrong in ${JSON.stringify(change)}`, () =>
      malformed(
        "push",
        { ...pushOf("refs/heads/main"), repository: { ...repository, ...change } },
        new RegExp(`repository\\.${field}`),
      ));
  }

  it("never repeats what was sent", async () => {
    const body = { ...pushOf("refs/heads/hidden\u0000"), repository: { ...repository, name: "hidden name" } };
    await assert.rejects(read("push", body), (error: Error) => !error.message.includes("hidden"));
  });

  it("is never anything but a hint, a reason or a refusal", async () => {
    const event = fc.constantFrom("push", "create", "status", "check_run", "check_suite", "workflow_run", "ping");
    const key = fc.constantFrom(
      "ref",
      "after",
      "deleted",
      "head_commit",
      "repository",
      "__proto__",
      "sha",
      "context",
      "action",
    );
    const body = fc.oneof(
      fc.json(),
      fc.dictionary(key, fc.jsonValue()).map((change) => JSON.stringify({ ...pushOf("refs/heads/main"), ...change })),
    );
    await fc.assert(
      fc.asyncProperty(event, body, async (name, text) => {
        const reading = await read(name, text).catch((error) => {
          assert.ok(error instanceof MalformedWebhook, error);
          return { hints: [] };
        });
        assert.ok("hints" in reading || "ignored" in reading);
      }),
      { numRuns: 2_000 },
    );
  });

  it("may be nested 100,000 deep", async () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    await malformed("push", `{"ref":${deep}}`, /ref/);
  });
});

describe("The clone URL of a GitHub repo", () => {
  it("comes from the configuration, with the token in a header only", () => {
    const repo = { id: "github:7", host: "github", owner: "acme", name: "api", defaultBranch: "main" };
    assert.deepEqual(cloneSourceOf("https://git.example.com/", "hidden", repo), {
      url: "https://git.example.com/acme/api.git",
      authorization: `Basic ${Buffer.from("x-access-token:hidden").toString("base64")}`,
    });
  });

  it("takes no credentials where no token is configured", () => {
    const repo = { id: "github:7", host: "github", owner: "acme", name: "api", defaultBranch: "main" };
    assert.equal(cloneSourceOf("https://git.example.com", null, repo).authorization, null);
  });
});
