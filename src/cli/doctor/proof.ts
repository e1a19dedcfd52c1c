import { createPublicKey, randomBytes, verify } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ServerConfig } from "../../config/server.ts";
import { openLedger } from "../../ledger/ledger.ts";
import { proofKeys } from "../../ledger/proof-keys.ts";
import { KEY_FILE, openSigner } from "../../proof/open-signer.ts";
import { type Check, fail, ok, type Result, warn } from "./check.ts";
import { DATA_DIRECTORY } from "./machine.ts";

/** The key that signs proofs: whether it can sign, and what the list of keys says of it. */
export function proofChecks(config: ServerConfig, learn: (secret: string) => void): Check[] {
  return [
    {
      group: "This machine",
      part: "proof key",
      needs: [DATA_DIRECTORY, "ledger"],
      run: () => checkKey(config, learn),
      remedy: "Check proof.key or proof.awsKms: releases go on, and their proofs are owed until it can sign.",
    },
  ];
}

async function checkKey({ proof, dataDir, databaseUrl }: ServerConfig, learn: (secret: string) => void) {
  const isOwn = proof.key === null && proof.awsKms === null;
  if (isOwn && !existsSync(join(dataDir, KEY_FILE))) return ok("a key is made at the first start");
  const source = await openSigner(proof, dataDir, "", learn);
  const signer = await source.open();
  const sample = randomBytes(32);
  if (!verify("sha256", sample, createPublicKey(signer.publicKey), await signer.sign(sample)))
    return fail("what it signs does not verify by its own public key", null);
  const ledger = await openLedger({ dataDir, databaseUrl: databaseUrl ?? undefined });
  try {
    return standingOf(signer.keyId, await proofKeys(ledger));
  } finally {
    await ledger.close();
  }
}

function standingOf(keyId: string, keys: Awaited<ReturnType<typeof proofKeys>>): Result {
  const own = keys.find((key) => key.keyId === keyId);
  const others = keys.filter((key) => key.keyId !== keyId);
  const revoked = others.filter(({ revokedAt }) => revokedAt !== null).length;
  const retired = others.filter(({ revokedAt, validUntil }) => revokedAt === null && validUntil !== null).length;
  const list = `${retired} retired and ${revoked} revoked keys are listed`;
  if (own === undefined) return ok(`${keyId} signs, and is listed from the next start on; ${list}`);
  if (own.revokedAt !== null || own.validUntil !== null) {
    const what = own.revokedAt === null ? "retired" : "revoked";
    return fail(`${keyId} was ${what}: proofs are owed`, "Give the server the key that came after it, or a new one.");
  }
  const alone = others.every(({ validUntil }) => validUntil !== null);
  if (alone) return ok(`${keyId} signs; ${list}`);
  return warn(
    `${keyId} signs, and so do other keys of this server`,
    "If several workers share the ledger, give all of them one proof.key: a verifier needs only one key then.",
  );
}
