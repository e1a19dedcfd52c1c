import * as z from "zod";
import { PROOF_STATES } from "../ledger/proofs.ts";
import { digest, sha, time } from "./schemas.ts";

/** A Sigstore bundle or a DSSE envelope: their own specifications say what is in them. */
const signed = z.looseObject({});

export const proofSchema = z
  .object({
    artifact: z.string(),
    version: z.string(),
    sha,
    digest,
    state: z.enum(PROOF_STATES),
    because: z.string(),
    keyId: z.string().nullable(),
    signedAt: time.nullable(),
    bundles: z.array(z.object({ predicateType: z.string(), bundle: signed })),
    places: z.array(
      z.object({
        registry: z.string(),
        repository: z.string(),
        state: z.enum(["owed", "stands", "refused", "apart"]),
        because: z.string(),
        at: time,
      }),
    ),
  })
  .meta({ id: "Proof" });

export const digestProofSchema = z.object({ digest, releases: z.array(proofSchema) });

export const keysSchema = z
  .object({
    keys: z.array(
      z.object({
        keyId: z.string(),
        algorithm: z.string(),
        publicKey: z.string(),
        validFrom: time,
        validUntil: time.nullable(),
        revokedAt: time.nullable(),
      }),
    ),
    history: z.array(signed),
  })
  .meta({ id: "ProofKeys" });

export const builderSchema = z
  .object({
    id: z.string(),
    builder: z.object({ deliverd: z.string() }),
    keys: z.string(),
    buildTypes: z.array(z.string()),
    slsa: z.object({ level: z.int(), because: z.string() }),
    evidence: z.string(),
  })
  .meta({ id: "Builder" });
