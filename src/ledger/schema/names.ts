import type { Digest, RepoId, Sha } from "../../delivery/types.ts";

// Tables about names in registries, as a part of schema.ts.

/** Which repo owns a registry's repository: the one that published there first. */
export interface NameOwnersTable {
  registry: string;
  repository: string;
  repoId: RepoId;
  at: number;
  /** 0: nothing was published yet, and the claim counts only during a write in `nameWrites`. */
  confirmed: number;
}

/** A name that a process writes now, or whose write was never completed. */
export interface NameWritesTable {
  registry: string;
  repository: string;
  tag: string;
  repoId: RepoId;
  immutable: number;
  /** JSON array of digests: what a moving name may point to because of writes that were never completed. */
  digests: string;
  /** Unique to this write. */
  token: string;
  /** The process. */
  owner: string;
  /** By the database's clock; after it, another process may write the name. */
  until: number;
}

/** A moving name that a release should have but did not get. */
export interface LostNamesTable {
  registry: string;
  repository: string;
  tag: string;
  repoId: RepoId;
  artifact: string;
  sha: Sha;
  because: string;
}

/** The release that `latest` means; null: none of deliverd's releases. No row: no worker has determined it yet. */
export interface LatestReleasesTable {
  repoId: RepoId;
  artifact: string;
  releaseId: string | null;
}

/** The content that a registry has under a name, after it was read back. */
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
