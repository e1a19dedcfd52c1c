import { createHash, type KeyObject } from "node:crypto";

/** https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md */
export const PAYLOAD_TYPE = "application/vnd.in-toto+json";

/** DSSE 1.0: https://github.com/secure-systems-lab/dsse/blob/master/envelope.md */
export interface Envelope {
  /** Base64. */
  payload: string;
  payloadType: string;
  signatures: { sig: string; keyid: string }[];
}

/**
 * Pre-Authentication Encoding: the bytes that a signature is over (DSSE 1.0 protocol). Type and body each come with
 * their length in bytes, so that no two pairs give the same bytes.
 */
export function preAuthEncoding(payloadType: string, payload: Buffer): Buffer {
  const type = Buffer.from(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/** The id of a key as cosign writes it: base64 of the SHA-256 of its SubjectPublicKeyInfo (DER). */
export function keyIdOf(publicKey: KeyObject): string {
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");
}
