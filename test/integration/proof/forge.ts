import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { keyIdOf } from "../../../src/delivery/proof/dsse.ts";

/** A key with which a test signs whatever it likes. */
export interface Forger {
  keyId: string;
  publicKey: string;
  /** A Sigstore bundle over these bytes, as a signer without any scruple makes it. */
  bundle(payload: string, payloadType?: string): Bundle;
}

export interface Bundle {
  mediaType: string;
  verificationMaterial: { publicKey?: { hint?: string }; [other: string]: unknown };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string; keyid?: string }[] };
}

export function forger(): Forger {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = createPublicKey(privateKey);
  const keyId = keyIdOf(publicKey);
  return {
    keyId,
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    bundle: (payload, payloadType = "application/vnd.in-toto+json") => ({
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: { publicKey: { hint: keyId }, timestampVerificationData: {} },
      dsseEnvelope: {
        payload: Buffer.from(payload).toString("base64"),
        payloadType,
        signatures: [{ sig: signatureOver(payload, payloadType, privateKey), keyid: keyId }],
      },
    }),
  };
}

/** By the specification's own words, and by no code of deliverd. */
function signatureOver(payload: string, type: string, key: KeyObject): string {
  const signed = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${Buffer.byteLength(payload)} ${payload}`;
  return sign("sha256", Buffer.from(signed), key).toString("base64");
}
