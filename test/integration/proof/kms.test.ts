import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { keyIdOf, PAYLOAD_TYPE, preAuthEncoding } from "../../../src/delivery/proof/dsse.ts";
import { openSigner } from "../../../src/proof/open-signer.ts";
import { verifyBundle } from "../../../src/proof/verify-bundle.ts";
import { signed } from "../../support/fixtures/proofs.ts";
import { Aws, useAws } from "../../support/registries/aws/index.ts";
import { Fault } from "../../support/registries/aws/write.ts";

describe("A key in AWS KMS (against a stand-in from AWS's own model)", () => {
  let aws: Aws;
  let restore: () => void;
  beforeEach(async () => {
    aws = await new Aws().start();
    restore = useAws(aws);
  });
  afterEach(async () => {
    restore();
    await aws.stop();
  });

  const open = (awsKms: string) => openSigner({ key: null, previousKey: null, awsKms }, "/none", "s1", () => {});

  it("is not asked for at a start, and once afterwards", async () => {
    const source = await open(aws.kms.create());
    assert.equal(aws.seen.length, 0);
    const [first, again] = [await source.open(), await source.open()];
    assert.equal(first, again);
    assert.equal(aws.count("GetPublicKey"), 1);
  });

  it("signs what its own public key verifies, also if it is longer than KMS takes", async () => {
    const signer = await (await open(aws.kms.create())).open();
    const bytes = preAuthEncoding(PAYLOAD_TYPE, Buffer.alloc(10_000, "x"));
    assert.ok(verify("sha256", bytes, createPublicKey(signer.publicKey), await signer.sign(bytes)));
    assert.equal(signer.keyId, keyIdOf(createPublicKey(signer.publicKey)));
  });

  it("signs proofs that verify", async () => {
    const signer = await (await open(aws.kms.create())).open();
    const keys = new Map([[signer.keyId, { publicKey: signer.publicKey, validUntil: null, revokedAt: null }]]);
    for (const { bundle } of await signed(signer)) assert.equal((await verifyBundle(bundle, keys)).keyId, signer.keyId);
  });

  for (const [spec, usage] of [
    ["ECC_NIST_P384", "SIGN_VERIFY"],
    ["RSA_2048", "SIGN_VERIFY"],
    ["ECC_NIST_P256", "ENCRYPT_DECRYPT"],
  ] as const) {
    it(`is refused with ${spec} for ${usage} (proof-key-refused)`, async () => {
      const source = await open(aws.kms.create(spec, usage));
      await assert.rejects(source.open(), { name: "Refused", code: "proof-key-refused" });
    });
  }

  it("is asked for again after KMS did not answer", async () => {
    const source = await open(aws.kms.create());
    aws.fault = () => new Fault(500, "KMSInternalException");
    await assert.rejects(source.open(), { name: "TransientError" });
    aws.fault = () => undefined;
    assert.ok((await source.open()).keyId);
  });

  it("tells which right is missing", async () => {
    const source = await open(aws.kms.create());
    aws.fault = () => new Fault(400, "AccessDeniedException");
    await assert.rejects(source.open(), /kms:GetPublicKey/);
  });
});
