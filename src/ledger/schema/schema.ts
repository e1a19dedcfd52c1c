import type { Generated } from "kysely";
import type { Action, ArtifactKind, DeliveryState, Digest, RepoId, Sha } from "../../delivery/types.ts";
import type { LatestReleasesTable, LocationsTable, LostNamesTable, NameOwnersTable, NameWritesTable } from "./names.ts";
import type { LooksTable, OutboxTable, ToldTable } from "./outbox.ts";

/**
 * The tables as queries see them: camelCase here, snake_case in the database. Times are ms since the epoch, truth values
 * 0 or 1, JSON is text. The migrations make them.
 */
export interface Schema {
  repos: ReposTable;
  repoNames: RepoNamesTable;
  hints: HintsTable;
  heads: HeadsTable;
  deliveries: DeliveriesTable;
  artifacts: ArtifactsTable;
  attempts: AttemptsTable;
  decisions: DecisionsTable;
  versionClaims: VersionClaimsTable;
  nameOwners: NameOwnersTable;
  nameWrites: NameWritesTable;
  lostNames: LostNamesTable;
  latestReleases: LatestReleasesTable;
  locations: LocationsTable;
  releases: ReleasesTable;
  releaseVersions: ReleaseVersionsTable;
  outbox: OutboxTable;
  told: ToldTable;
  looks: LooksTable;
  logs: LogsTable;
  duties: DutiesTable;
  baselines: BaselinesTable;
}

interface ReposTable {
  id: RepoId;
  host: string;
  owner: string;
  name: string;
  defaultBranch: string | null;
  /** When a hint last named it: the sweep looks at active repos more often. */
  activeAt: number;
  createdAt: number;
  /** When a worker last took one of its deliveries; 0: never. */
  servedAt: Generated<number>;
}

/** Every name a repo ever had, so that old ones stay aliases. A name belongs to the repo that bore it last. */
interface RepoNamesTable {
  host: string;
  /** `owner/name`, lower-case: hosts compare without case. */
  fullName: string;
  repoId: RepoId;
}

/** The inbox. A row is done when an evaluation that began after it was written has ended. */
interface HintsTable {
  id: Generated<number>;
  repoId: RepoId;
  event: string;
  deliveryId: string;
  ref: string | null;
  sha: Sha | null;
  receivedAt: number;
  doneAt: number | null;
  because: string | null;
}

/** Commits that a ref is known to have pointed to: a middle commit of a push never was one. */
interface HeadsTable {
  repoId: RepoId;
  ref: string;
  sha: Sha;
  seenAt: number;
}

interface DeliveriesTable {
  id: string;
  repoId: RepoId;
  sha: Sha;
  ref: string | null;
  state: DeliveryState;
  because: string;
  version: string | null;
  message: string;
  author: string;
  committedAt: number | null;
  plan: string | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  updatedAt: number;
  attempts: Generated<number>;
  /** Not to be claimed before. */
  retryAt: number | null;
  leaseOwner: string | null;
  /** By the store's clock. */
  leaseUntil: number | null;
  /** Rises with every claim; whoever holds a lower one writes nothing any more. */
  fence: Generated<number>;
  /** Asks the attempt under way to end, and ends with it. */
  cancelRequested: Generated<number>;
  /** When it began to wait for its CI, the last time that it did. */
  waitingSince: number | null;
  failedBy: FailedBy | null;
  /** `Naming` as JSON, from before its first name is written until it is delivered. */
  naming: string | null;
  /** When it is to be looked at though nobody tells of it; null: only when somebody does. */
  lookAt: number | null;
  /** 1 where it may be prepared while its CI runs. */
  aheadDue: Generated<number>;
  /** 1 where a person asked for it again: no newer commit supersedes it. */
  insisted: Generated<number>;
}

/** What a failure is the end of: of the gate's patience or of a plan, which a later look may decide anew, or of an attempt. */
export type FailedBy = "gate" | "plan" | "attempt";

export type ArtifactState =
  | "pending"
  | "building"
  | "frozen"
  | "publishing"
  | "released"
  | "unchanged"
  | "failed"
  | "cancelled";

interface ArtifactsTable {
  deliveryId: string;
  name: string;
  kind: ArtifactKind;
  position: number;
  state: ArtifactState;
  because: string;
  digest: Digest | null;
  mediaType: string | null;
  size: number | null;
  /** The host whose store holds the bytes. */
  frozenOn: string | null;
  /** Under which fence the digest was pinned. */
  pinnedFence: number | null;
  bases: string | null;
  parts: string | null;
}

/**
 * `prepared`, `not-prepared`, `failed-ahead`: nothing but the first half was tried, while CI ran. The last is the user's own
 * failure, which the same bytes would have again.
 */
export type AttemptOutcome =
  | "done"
  | "failed"
  | "retry"
  | "cancelled"
  | "handed-back"
  | "lost"
  | "prepared"
  | "not-prepared"
  | "failed-ahead";

interface AttemptsTable {
  deliveryId: string;
  fence: number;
  owner: string;
  startedAt: number;
  endedAt: number | null;
  outcome: AttemptOutcome | null;
  errorCode: string | null;
  message: string | null;
}

interface DecisionsTable {
  id: Generated<number>;
  repoId: RepoId;
  sha: Sha;
  at: number;
  /** `alarm`: a name of its release was changed behind our back. `name-lost`: its release did not get a moving name. */
  action: Action | "alarm" | "name-lost";
  because: string;
}

/** A version of a repo belongs to the first commit that claims it. */
interface VersionClaimsTable {
  repoId: RepoId;
  version: string;
  sha: Sha;
  at: number;
}

interface ReleasesTable {
  /** A function of repo, sha, artifact and variant. */
  id: string;
  repoId: RepoId;
  sha: Sha;
  artifact: string;
  /** The version where the bytes hold it and the commit has more than one, else empty. */
  variant: string;
  kind: ArtifactKind;
  version: string;
  digest: Digest;
  mediaType: string;
  size: number;
  ref: string | null;
  deliveryId: string;
  committedAt: number;
  releasedAt: number;
  metadata: string;
  parts: string | null;
}

interface ReleaseVersionsTable {
  repoId: RepoId;
  artifact: string;
  version: string;
  releaseId: string;
  /** 1 where a version tag says so, 0 where the version was counted. */
  tagged: number;
  at: number;
}

interface LogsTable {
  deliveryId: string;
  seq: number;
  at: number;
  /** Length of the text in bytes, before compression. */
  bytes: number;
  /** Base64 of gzip: text, since libsql takes no bytes. */
  chunk: string;
}

/** What one process at a time does for all, as long as its turn lasts. */
interface DutiesTable {
  name: string;
  owner: string;
  until: number;
}

/** Entries of `repos` whose repos were looked at once: their heads of that moment count as known. */
interface BaselinesTable {
  entry: string;
  at: number;
}
