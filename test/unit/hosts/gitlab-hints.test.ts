import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { hintReader } from "../../../src/hosts/gitlab/hints.ts";
import { webhookProof } from "../../../src/hosts/gitlab/signature.ts";
import { BadSignature, MalformedWebhook, type RawWebhook } from "../../../src/hosts/host.ts";
import { gitlab, gitlabBodies } from "../../support/hosts/examples/gitlab.ts";
import { SHA, ZERO } from "../../support/hosts/examples/host-examples.ts";

const TOKEN = "a plain secret token";
const KEY = Buffer.alloc(32, 7);
const SIGNING_TOKEN = `whsec_${KEY.toString("base64")}`;
const NOW = Date.UTC(2026, 0, 1);

const byToken = hintReader(webhookProof("gitlab", TOKEN), () => NOW);
const bySignature = hintReader(webhookProof("gitlab", SIGNING_TOKEN), () => NOW);

const { project, push } = gitlabBodies;

const request = (body: unknown, headers: Record<string, string> = {}): RawWebhook => ({
  headers: { "x-gitlab-token": TOKEN, "x-gitlab-event-uuid": "13792a34", ...headers },
  body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
});

describe("A webhook of GitLab:", () => {
  it("what is no JSON is malformed", async () => {
    await assert.rejects(byToken(request("{")), MalformedWebhook);
    await assert.rejects(byToken(request("custom: template")), MalformedWebhook);
  });

  it("any body that is well signed is read, ignored or malformed", async () => {
    const bases = gitlab.table.map(({ body }) => body);
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
