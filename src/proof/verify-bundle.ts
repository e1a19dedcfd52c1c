import { Refused } from "../delivery/errors.ts";
import { BUNDLE_TYPE } from "../delivery/proof/attachment.ts";
import { PAYLOAD_TYPE } from "../delivery/proof/dsse.ts";
import type { SignedBy } from "../delivery/proof/judge.ts";
import { type ReadStatement, readStatement } from "../delivery/proof/read-statement.ts";
import type { Bundle } from "./sigstore.ts";

/** A key that the verifier trusts. Times are ISO 8601, UTC; null: no end. */
export interface TrustedKey {
  /** SPKI, PEM. */
  publicKey: string;
  /** Retired: what it signed before stays good. */
  validUntil: string | null;
  /** Revoked: nothing that it signed is good. */
  revokedAt: string | null;
}

/**
 * Verifies one signed statement.
 * @param text a Sigstore bundle of the version 0.3, or a bare DSSE envelope: JSON
 * @param keys by their ids
 * @throws Refused `proof-unreadable`, `proof-signatures`, `proof-key-hint`, `proof-payload-type`,
 * `proof-key-untrusted`, `proof-key-revoked`, `proof-key-expired`, `proof-signature`, `proof-statement`
 */
export async function verifyBundle(text: string, keys: ReadonlyMap<string, TrustedKey>): Promise<SignedBy> {
  const bundle = await readBundle(text);
  const { keyId, payload } = requireForm(bundle);
  const key = keys.get(keyId);
  if (key === undefined)
    throw new Refused("proof-key-untrusted", `It is signed by the key ${keyId}, which is not trusted.`);
  if (key.revokedAt !== null)
    throw new Refused("proof-key-revoked", `It is signed by the key ${keyId}, which was revoked at ${key.revokedAt}.`);
  await requireSignature(bundle, keyId, key);
  // What is read are the very bytes that were verified.
  const statement = readStatement(payload);
  requireInTime(statement, keyId, key);
  return { ...statement, keyId };
}

async function readBundle(text: string): Promise<Bundle> {
  const { bundleFromJSON } = await import("./sigstore.ts");
  try {
    const data = JSON.parse(text) as Record<string, unknown>;
    requireOneSignature(("payload" in data ? data : data.dsseEnvelope) as { signatures?: unknown } | undefined);
    return bundleFromJSON("payload" in data ? bundleAround(data) : data);
  } catch (error) {
    if (error instanceof Refused) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new Refused("proof-unreadable", `It is neither a Sigstore bundle nor a DSSE envelope: ${why}`);
  }
}

function requireOneSignature(envelope: { signatures?: unknown } | undefined): void {
  const { signatures } = envelope ?? {};
  if (!Array.isArray(signatures) || signatures.length === 1) return;
  throw new Refused("proof-signatures", `It has ${signatures.length} signatures, and exactly one is expected.`);
}

function bundleAround(envelope: Record<string, unknown>): object {
  const [first] = envelope.signatures as { keyid?: string }[];
  const verificationMaterial = { publicKey: { hint: first?.keyid ?? "" }, timestampVerificationData: {} };
  return { mediaType: BUNDLE_TYPE, verificationMaterial, dsseEnvelope: envelope };
}

/** What the specification demands of a bundle with a plain key, and Sigstore's library does not check. */
function requireForm({ mediaType, content, verificationMaterial }: Bundle): { keyId: string; payload: Buffer } {
  if (mediaType !== BUNDLE_TYPE) throw new Refused("proof-unreadable", `It is a bundle of the type ${mediaType}.`);
  if (content.$case !== "dsseEnvelope") throw new Refused("proof-unreadable", "The bundle holds no statement.");
  const { payloadType, payload, signatures } = content.dsseEnvelope;
  const [signature] = signatures;
  const material = verificationMaterial.content;
  const hint = material.$case === "publicKey" ? material.publicKey.hint : null;
  if (hint === null || hint === "" || hint !== signature?.keyid)
    throw new Refused("proof-key-hint", "The bundle and its envelope do not name the same key.");
  if (payloadType !== PAYLOAD_TYPE)
    throw new Refused("proof-payload-type", `It signs a ${payloadType}, and no in-toto statement.`);
  return { keyId: hint, payload };
}

async function requireSignature(bundle: Bundle, keyId: string, { publicKey }: TrustedKey): Promise<void> {
  const { toSignedEntity, Verifier } = await import("./sigstore.ts");
  const { createPublicKey } = await import("node:crypto");
  const trusted = { publicKey: createPublicKey(publicKey), validFor: () => true };
  const verifier = new Verifier(
    {
      ...{ certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] },
      publicKey: () => trusted,
    },
    { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 },
  );
  try {
    verifier.verify(toSignedEntity(bundle));
  } catch {
    throw new Refused("proof-signature", `The signature by the key ${keyId} does not fit: the statement was changed.`);
  }
}

/** The time is the statement's own, and is worth as much as the key: a retired key could sign with an older time. */
function requireInTime(statement: ReadStatement, keyId: string, { validUntil }: TrustedKey): void {
  if (statement.kind === "other" || validUntil === null) return;
  if (Date.parse(statement.at) <= Date.parse(validUntil) + CLOCK_SLACK_MS) return;
  throw new Refused(
    "proof-key-expired",
    `The key ${keyId} was retired at ${validUntil}, and the statement is of ${statement.at}.`,
  );
}

/** The clocks of the database and of the worker that reads the evidence may differ. */
const CLOCK_SLACK_MS = 5 * 60_000;
