import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { hintReader } from "../../../src/hosts/gitea/hints.ts";
import { giteaPager } from "../../../src/hosts/gitea/pager.ts";
import { webhookProof } from "../../../src/hosts/gitea/signature.ts";
import { BadSignature, MalformedWebhook, type RawWebhook } from "../../../src/hosts/host.ts";
import { gitea, giteaBodies } from "../../support/hosts/examples/gitea.ts";
import { SHA, ZERO } from "../../support/hosts/examples/host-examples.ts";

const { secret, push } = giteaBodies;
const read = hintReader(webhookProof("forge", secret));
const body = Buffer.from(JSON.stringify(push()));
const hmac = (algorithm = "sha256", key = secret, of: Buffer = body) =>
  createHmac(algorithm, key).update(of).digest("hex");
const right = hmac();

const request = (headers: RawWebhook["headers"], of: Buffer = body): RawWebhook => ({
  headers: { "x-gitea-event": "push", ...headers },
  body: of,
});

describe("A webhook of Gitea or Forgejo", () => {
  const taken: [what: string, headers: Record<string, string>][] = [
    ["Gitea's header", { "x-gitea-signature": right }],
    ["GitHub's header", { "x-hub-signature-256": `sha256=${right}` }],
    ["Forgejo's header", { "x-forgejo-signature": right }],
    [
      "all three, and those that deliverd does not read",
      {
        ...{ "x-forgejo-signature": right, "x-gitea-signature": right, "x-hub-signature-256": `sha256=${right}` },
        ...{ "x-gogs-signature": right, "x-hub-signature": `sha1=${hmac("sha1")}` },
      },
    ],
  ];
  for (const [what, headers] of taken) {
    it(`is taken with the digest in ${what}`, async () => {
      assert.ok("hints" in (await read(request(headers))));
    });
  }

  const refused: [what: string, headers: RawWebhook["headers"], of?: Buffer][] = [
    ["no signature", {}],
    ["an empty one, as without a secret", { "x-gitea-signature": "", "x-hub-signature-256": "sha256=" }],
    ["a right one beside an empty one", { "x-gitea-signature": right, "x-hub-signature-256": "sha256=" }],
    ["a right one beside a wrong one", { "x-gitea-signature": right, "x-forgejo-signature": hmac("sha256", "other") }],
    ["only SHA-1", { "x-hub-signature": `sha1=${hmac("sha1")}` }],
    ["only Gogs's header", { "x-gogs-signature": right }],
    ["SHA-1 in place of SHA-256", { "x-gitea-signature": hmac("sha1") }],
    ["the digest of GitHub's header without its prefix", { "x-hub-signature-256": right }],
    ["a prefix before Gitea's", { "x-gitea-signature": `sha256=${right}` }],
    ["one that is cut", { "x-gitea-signature": right.slice(0, -1) }],
    ["one in capitals", { "x-gitea-signature": right.toUpperCase() }],
    ["two in one header", { "x-gitea-signature": `${right}, ${right}` }],
    ["two headers of one name", { "x-gitea-signature": [right, right] }],
    ["that of another secret", { "x-gitea-signature": hmac("sha256", "other") }],
    ["that of an empty secret", { "x-gitea-signature": createHmac("sha256", "").update(body).digest("hex") }],
    ["that of another body", { "x-gitea-signature": right }, Buffer.concat([body, Buffer.from(" ")])],
    ["an empty body", { "x-gitea-signature": hmac("sha256", secret, Buffer.alloc(0)) }, Buffer.alloc(0)],
    [
      "bytes that are not UTF-8",
      { "x-gitea-signature": hmac("sha256", secret, Buffer.from([0xff])) },
      Buffer.from([0xff]),
    ],
  ];
  for (const [what, headers, of] of refused) {
    it(`is refused with ${what}`, async () => {
      const error = await read(request(headers, of)).catch((caught: Error) => caught);
      assert.ok(error instanceof BadSignature, String(error));
      assert.ok(!error.message.includes(secret) && !error.message.includes(right));
    });
  }

  it("needs a secret: an empty one would be taken from anybody", () => {
    for (const empty of ["", " \n"]) assert.throws(() => webhookProof("forge", empty), ConfigError);
  });

  it("names its event in Forgejo's header too, and is identified for people by its delivery", async () => {
    const headers = { "x-forgejo-event": "push", "x-forgejo-delivery": "d-1", "x-forgejo-signature": right };
    const reading = await read({ headers, body });
    assert.deepEqual("hints" in reading && [reading.hints[0]?.event, reading.hints[0]?.deliveryId], ["push", "d-1"]);
  });

  it("with any body that is well signed is read, ignored or malformed", async () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(SHA, ZERO, "refs/heads/x", [], {}));
    const spoilt = fc
      .tuple(fc.constantFrom(...gitea.table), fc.string(), value, fc.nat())
      .map(([{ headers, body }, name, put, pick]) => {
        const keys = Object.keys(body);
        const key = keys.length === 0 || pick % 5 === 0 ? name : (keys[pick % keys.length] ?? name);
        return { headers, text: JSON.stringify({ ...body, [key]: put }) };
      });
    await fc.assert(
      fc.asyncProperty(spoilt, async ({ headers, text }) => {
        const bytes = Buffer.from(text);
        try {
          const reading = await read({ headers: { ...headers, ...gitea.sign(bytes) }, body: bytes });
          if ("ignored" in reading) return;
          for (const { repo, sha, ref } of reading.hints) {
            assert.match(`${repo.owner}/${repo.name}`, /^[\w.-]+\/[\w.-]+$/);
            assert.match(sha ?? SHA, /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
            assert.match(ref ?? "refs/heads/x", /^refs\/(?:heads|tags)\//);
          }
        } catch (error) {
          assert.ok(error instanceof MalformedWebhook, String(error));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("Gitea's pages", () => {
  const pager = giteaPager(50);
  const next = (url: string, length: number, headers: Record<string, string>) =>
    pager.read(new URL(url), { headers, body: Array.from({ length }, () => ({})) }).next?.search ?? null;
  const first = "http://git.example.com/api/v1/x?page=1&limit=50";

  it("begin at the first by its number: without it Gitea gives everything", () => {
    assert.deepEqual(pager.query, { page: 1, limit: 50 });
  });

  it("follow the link where there is one, and only its query", () => {
    const link = '<http://other.example.com/api/v1/x?page=2&limit=50>; rel="next"';
    assert.equal(next(first, 50, { link, "x-total-count": "60" }), "?page=2&limit=50");
    assert.equal(
      next(first, 10, { link: '<http://other.example.com/y?page=1>; rel="first"', "x-total-count": "60" }),
      null,
    );
  });

  it("go by the number of items where there is no link, by the size that the server really gives", () => {
    assert.equal(next(first, 50, { "x-total-count": "50" }), null);
    assert.equal(next(first, 50, { "x-total-count": "51" }), "?page=2&limit=50");
    assert.equal(next(first, 20, { "x-total-count": "45" }), "?page=2&limit=20");
    assert.equal(next("http://git.example.com/x?page=3&limit=20", 5, { "x-total-count": "45" }), null);
    assert.equal(next("http://git.example.com/x?page=2&limit=20", 0, { "x-total-count": "45" }), null);
  });

  it("end at an empty one where nothing says how many there are", () => {
    assert.equal(next(first, 3, {}), "?page=2&limit=3");
    assert.equal(next("http://git.example.com/x?page=2&limit=3", 0, {}), null);
  });
});
