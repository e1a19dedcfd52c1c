import type { ListedKey } from "../delivery/proof/key-list.ts";
import { iso } from "./describe-release.ts";
import type { ProofKey } from "./proof-keys.ts";

/** A key as the published list has it. */
export function listedKey({ keyId, publicKey, validFrom, validUntil, revokedAt }: ProofKey): ListedKey {
  return {
    ...{ keyId, algorithm: "ecdsa-p256-sha256", publicKey, validFrom: iso(validFrom) },
    validUntil: validUntil === null ? null : iso(validUntil),
    revokedAt: revokedAt === null ? null : iso(revokedAt),
  };
}
