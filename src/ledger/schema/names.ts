import type { Digest, RepoId, Sha } from "../../delivery/types.ts";

/* The tables of names in registries: see schema.ts. */

/** A repository of a registry belongs to the repo that published there first. */
export interface NameOwnersTable {
  registry: string;
  repository: string;
  repoId: RepoId;
  at: number;
  /** 0: nothing was published yet, and the claim counts only while a write of `nameWrites` is under way. */
  confirmed: number;
}

/** A name that somebody writes now, or began to write and never ended. */
export interface NameWritesTable {
  registry: string;
  repository: string;
  tag: string;
  repoId: RepoId;
  immutable: number;
  /** JSON: the contents that may stand there by moving writes that have not ended. */
  digests: string;
  /** Unique to this write. */
  token: string;
  /** The process. */
  owner: string;
  /** By the store's clock; past it, another may write. */
  until: number;
}

/** A name that a release asked for and did not get. */
export interface LostNamesTable {
  registry: string;
  repository: string;
  tag: string;
  repoId: RepoId;
  artifact: string;
  sha: Sha;
  because: string;
}

/** The release that `latest` means; null: none of ours. No row: no worker has looked yet. */
export interface LatestReleasesTable {
  repoId: RepoId;
  artifact: string;
  releaseId: string | null;
}

/** What stands under a name, after it was read back. */
export interface LocationsTable {
  registry: string;
  repository: string;
  tag: string;
  immutable: number;
  deliveryId: string;
  artifact: string;
  repoId: RepoId;
  digest: Digest;
  url: string;
  pull: string;
  at: number;
}
