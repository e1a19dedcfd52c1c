import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { dsse } from "@sigstore/core";
import fc from "fast-check";
import { keyIdOf, PAYLOAD_TYPE, preAuthEncoding } from "../../../src/delivery/proof/dsse.ts";

describe("the pre-authentication encoding of DSSE", () => {
  it("is as the specification writes it", () => {
    assert.equal(
      preAuthEncoding(PAYLOAD_TYPE, Buffer.from('{"a":1}')).toString(),
      'DSSEv1 28 application/vnd.in-toto+json 7 {"a":1}',
    );
    // The specification's own example.
    assert.equal(
      preAuthEncoding("http://example.com/HelloWorld", Buffer.from("hello world")).toString(),
      "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
    );
  });

  it("agrees with Sigstore's own for any type and any bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.uint8Array(), (type, bytes) => {
        // Sigstore counts characters of the type: the two agree where those are bytes.
        fc.pre(Buffer.byteLength(type) === type.length);
        const body = Buffer.from(bytes);
        assert.deepEqual(preAuthEncoding(type, body), dsse.preAuthEncoding(type, body));
      }),
    );
  });

  it("gives two pairs of type and body never the same bytes", () => {
    const pair = fc.tuple(fc.string({ unit: fc.constantFrom("1", " ", "a", "ä") }), fc.uint8Array({ max: 50 }));
    fc.assert(
      fc.property(pair, pair, ([type, body], [otherType, otherBody]) => {
        const same = type === otherType && Buffer.from(body).equals(Buffer.from(otherBody));
        const [one, other] = [
          preAuthEncoding(type, Buffer.from(body)),
          preAuthEncoding(otherType, Buffer.from(otherBody)),
        ];
        assert.equal(one.equals(other), same);
      }),
    );
  });
});

describe("the id of a key", () => {
  it("is the base64 of the SHA-256 of its DER, as openssl computes it", () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = publicKey.export({ type: "spki", format: "pem" });
    const der = execFileSync("openssl", ["pkey", "-pubin", "-outform", "DER"], { input: pem });
    const hash = execFileSync("openssl", ["dgst", "-sha256", "-binary"], { input: der });
    assert.equal(keyIdOf(createPublicKey(pem)), hash.toString("base64"));
  });
});
