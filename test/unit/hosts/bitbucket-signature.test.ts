import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { webhookProof } from "../../../src/hosts/bitbucket/signature.ts";
import { BadSignature } from "../../../src/hosts/host.ts";

const SECRET = "s3cret of a webhook";
const BODY = Buffer.from('{"test": true}');
const hmac = (secret = SECRET, body = BODY, algorithm = "sha256") =>
  createHmac(algorithm, secret).update(body).digest("hex");
const right = `sha256=${hmac()}`;

describe("The signature of Bitbucket's webhooks", () => {
  const proof = webhookProof("bitbucket", SECRET);

  const wrong: [what: string, headers: Record<string, string | string[] | undefined>, says?: RegExp][] = [
    ["is missing", {}, /header is missing/],
    ["is missing from a ping, as older versions of Data Center send it", { "x-event-key": "diagnostics:ping" }],
    ["is empty", { "x-hub-signature": "" }, /header is missing/],
    ["is blank", { "x-hub-signature": "  " }, /header is missing/],
    ["is cut", { "x-hub-signature": right.slice(0, -1) }],
    ["is longer", { "x-hub-signature": `${right}0` }],
    ["is without its algorithm", { "x-hub-signature": hmac() }, /sha256=/],
    ["has the algorithm only", { "x-hub-signature": "sha256=" }],
    ["is by SHA-1", { "x-hub-signature": `sha1=${hmac(SECRET, BODY, "sha1")}` }, /no SHA-256/],
    ["is by SHA-1 under the name of SHA-256", { "x-hub-signature": `sha256=${hmac(SECRET, BODY, "sha1")}` }],
    ["is by SHA-512", { "x-hub-signature": `sha512=${hmac(SECRET, BODY, "sha512")}` }],
    ["is by another secret", { "x-hub-signature": `sha256=${hmac("other")}` }],
    ["is by the empty secret", { "x-hub-signature": `sha256=${hmac("")}` }],
    ["is of another body", { "x-hub-signature": `sha256=${hmac(SECRET, Buffer.from("{}"))}` }],
    ["is one of several", { "x-hub-signature": `sha256=${"0".repeat(64)}, ${right}` }],
    ["comes in two headers", { "x-hub-signature": [right, right] }],
    ["is in GitHub's header", { "x-hub-signature-256": right }],
    ["has letters that are no hex", { "x-hub-signature": `sha256=${"\u00e9".repeat(64)}` }],
    ["is in capital letters", { "x-hub-signature": `sha256=${hmac().toUpperCase()}` }],
  ];
  for (const [what, headers, says = /./] of wrong) {
    it(`that ${what} is refused`, () => {
      assert.throws(
        () => proof.verify({ headers, body: BODY }),
        (error) => error instanceof BadSignature && says.test(error.message) && !error.message.includes(SECRET),
      );
    });
  }

  it("is taken, also that of a ping that deliverd sends to itself", () => {
    proof.verify({ headers: { "x-hub-signature": right }, body: BODY });
    proof.verify({ headers: proof.headersFor(BODY), body: BODY });
  });

  it("of an empty body is refused", () => {
    const body = Buffer.alloc(0);
    assert.throws(() => proof.verify({ headers: proof.headersFor(body), body }), BadSignature);
  });

  for (const secret of ["", " \n"])
    it(`needs a secret: ${JSON.stringify(secret)} is none`, () => {
      assert.throws(
        () => webhookProof("bb", secret),
        (error) => error instanceof ConfigError && error.code === "bitbucket-webhook-secret-missing",
      );
    });
});
