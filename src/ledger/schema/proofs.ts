import type { Digest } from "../../delivery/types.ts";

/** The proof of a release: owed from the moment that the release is recorded, and signed once. */
export interface ProofsTable {
  releaseId: string;
  /** JSON of `ProofFacts`. */
  facts: string;
  /** Null: it is not signed yet. */
  signedAt: number | null;
  keyId: string | null;
  /** Why it could not be signed at the last try. */
  because: string | null;
  at: number;
}

/** One signed statement about a release, as it is uploaded everywhere. */
export interface ProofBundlesTable {
  releaseId: string;
  predicateType: string;
  /** A Sigstore bundle: JSON. */
  bundle: string;
}

/** By which digests the proof of a release is found: of its manifest, or of its files. */
export interface ProofSubjectsTable {
  digest: Digest;
  releaseId: string;
}

/**
 * `owed`: to be put there · `stands`: read back there · `refused`: the registry does not take it · `apart`: the
 * registry has no place for it, and only this server shows it
 */
export type ProofPlaceState = "owed" | "stands" | "refused" | "apart";

/** A repository of a registry in which the proof of a release is put beside it. */
export interface ProofPlacesTable {
  releaseId: string;
  /** The key under `registries`. */
  registry: string;
  repository: string;
  state: ProofPlaceState;
  /** How it stands there, or why not. */
  because: string;
  at: number;
}

/** A key that signed proofs, or signs them. */
export interface ProofKeysTable {
  keyId: string;
  /** SPKI, PEM. */
  publicKey: string;
  /** Where it comes from: a configured key, or a data directory. One of each holder signs at a time. */
  holder: string;
  validFrom: number;
  /** Null: it signs now. */
  validUntil: number | null;
  /** From then on nothing that it signed counts, whenever that was. */
  revokedAt: number | null;
}

/** Every list of keys that was published, in order. */
export interface KeyListsTable {
  seq: number;
  /** JSON: a DSSE envelope of the list. */
  envelope: string;
  at: number;
}
