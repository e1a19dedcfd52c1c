import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { cloudHost } from "../../../src/hosts/bitbucket/cloud/host.ts";
import { dataCenterHost } from "../../../src/hosts/bitbucket/data-center/host.ts";
import { type Host, MalformedWebhook, type RawWebhook } from "../../../src/hosts/host.ts";
import { bitbucketCloud, cloudBodies } from "../../support/hosts/examples/bitbucket-cloud.ts";
import { bitbucketDataCenter, dataCenterBodies } from "../../support/hosts/examples/bitbucket-data-center.ts";
import { type HostExamples, SHA } from "../../support/hosts/examples/host-examples.ts";

const url = "https://git.example.com";
const secrets = { webhookSecret: "a secret", username: null, token: null };
const cloud = cloudHost({ key: "bitbucket", apiUrl: `${url}/2.0`, cloneUrl: url, ...secrets });
const dataCenter = dataCenterHost({ key: "bitbucket", url, cloneUrl: `${url}/scm`, ...secrets });

const sign = (body: Buffer) => `sha256=${createHmac("sha256", secrets.webhookSecret).update(body).digest("hex")}`;
const request = (event: string, value: unknown): RawWebhook => {
  const body = Buffer.isBuffer(value) ? value : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  return { body, headers: { "x-event-key": event, "x-hub-signature": sign(body) } };
};

const products: [name: string, Host, HostExamples, parts: string[], idPattern: RegExp][] = [
  ["Cloud", cloud, bitbucketCloud, ["push", "repository", "commit_status"], /^[0-9a-f-]{36}$/],
  ["Data Center", dataCenter, bitbucketDataCenter, ["repository", "toCommit", "new"], /^\d+$/],
];
for (const [name, host, { table }, parts, idPattern] of products) {
  describe(`A webhook of Bitbucket ${name}:`, () => {
    it("what is no JSON, no UTF-8 or has no event is malformed", async () => {
      const [first] = table;
      const event = first?.headers["x-event-key"] ?? "";
      await assert.rejects(host.readHints(request(event, "{")), MalformedWebhook);
      await assert.rejects(host.readHints(request(event, Buffer.from([0x22, 0xff, 0x22]))), MalformedWebhook);
      await assert.rejects(host.readHints(request("", { test: true })), MalformedWebhook);
    });

    it("any body that is well signed is read, ignored or malformed", async () => {
      const bases = table.map(({ headers, body }) => [headers["x-event-key"] ?? "", body] as const);
      const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(SHA, "refs/heads/x", null, [], {}));
      const spoilt = fc
        .tuple(fc.constantFrom(...bases), fc.constantFrom("", ...parts), fc.string(), value, fc.nat())
        .map(([[event, base], where, key, put, pick]) => {
          const copy = structuredClone(base) as Record<string, unknown>;
          const at = where === "" ? copy : ((copy[where] ?? {}) as Record<string, unknown>);
          const keys = Object.keys(at);
          at[keys.length === 0 || pick % 5 === 0 ? key : (keys[pick % keys.length] ?? key)] = put;
          return [event, JSON.stringify(copy)] as const;
        });
      const events = fc.constantFrom(...bases.map(([event]) => event));
      const junk = fc.tuple(events, fc.oneof(fc.json(), fc.string({ minLength: 1 })));
      await fc.assert(
        fc.asyncProperty(fc.oneof(spoilt, junk), async ([event, body]) => {
          try {
            const reading = await host.readHints(request(event, body));
            if ("ignored" in reading) return;
            for (const { repo, sha, ref } of reading.hints) {
              assert.match(`${repo.owner}/${repo.name}`, /^[\w.~-]+\/[\w.~-]+$/);
              assert.match(repo.hostId, idPattern);
              assert.match(sha ?? SHA, /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
              assert.match(ref ?? "refs/heads/x", /^refs\/(?:heads|tags)\//);
            }
          } catch (error) {
            assert.ok(error instanceof MalformedWebhook, String(error));
          }
        }),
        { numRuns: 2_000 },
      );
    });

    it("the message of a malformed one holds no value of it", async () => {
      for (const { headers, body, expected } of table) {
        if (!("malformed" in expected)) continue;
        const error = await host.readHints(request(headers["x-event-key"] ?? "", body)).catch((caught) => caught);
        assert.match(error.message, /^The body is no '[\w:]+' event: [\w.]+: /);
        assert.doesNotMatch(error.message, /acme|84|da156/i);
      }
    });
  });
}

describe("A webhook of Bitbucket", () => {
  it("gives the id of the request, which people find in the list of deliveries", async () => {
    const push = request("repo:push", cloudBodies.push());
    const headers = { ...push.headers, "x-request-uuid": `8ac1${"x".repeat(200)}` };
    const reading = await cloud.readHints({ ...push, headers });
    assert.equal("hints" in reading && reading.hints[0]?.deliveryId, `8ac1${"x".repeat(96)}`);
  });

  it("of Data Center under the name of another event is read by its body, which is signed", async () => {
    const { change, refsChanged } = dataCenterBodies;
    const body = refsChanged([change("refs/heads/main", "UPDATE")]);
    const reading = await dataCenter.readHints(request("diagnostics:ping", body));
    assert.ok("hints" in reading && reading.hints.length === 1);
  });
});
