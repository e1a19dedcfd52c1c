import type { Generated } from "kysely";
import type { Action, ArtifactKind, DeliveryState, Digest, RepoId, Sha } from "../../delivery/types.ts";
import type { AuditTable, BranchReleasesTable, ReleasedArtifactsTable, WorkersTable } from "./catalog.ts";
import type { LatestReleasesTable, LocationsTable, LostNamesTable, NameOwnersTable, NameWritesTable } from "./names.ts";
import type { OrdersTable } from "./orders.ts";
import type { LooksTable, OutboxTable, ToldTable } from "./outbox.ts";
import type {
  KeyListsTable,
  ProofBundlesTable,
  ProofKeysTable,
  ProofPlacesTable,
  ProofSubjectsTable,
  ProofsTable,
} from "./proofs.ts";
import type { PushedChecksTable } from "./pushed-checks.ts";

/**
 * The tables as queries see them: camelCase here, snake_case in the database. Times are ms since the epoch, booleans
 * are 0 or 1, JSON is text. The migrations create the tables.
 */
export interface Schema {
  repos: ReposTable;
  repoNames: RepoNamesTable;
  hints: HintsTable;
  orders: OrdersTable;
  pushedChecks: PushedChecksTable;
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
  releasedArtifacts: ReleasedArtifactsTable;
  branchReleases: BranchReleasesTable;
  workers: WorkersTable;
  audit: AuditTable;
  proofs: ProofsTable;
  proofBundles: ProofBundlesTable;
  proofSubjects: ProofSubjectsTable;
  proofPlaces: ProofPlacesTable;
  proofKeys: ProofKeysTable;
  keyLists: KeyListsTable;
}

interface ReposTable {
  id: RepoId;
  host: string;
  owner: string;
  name: string;
  defaultBranch: string | null;
  /** When a hint last named it; 0: never. The sweep polls active repos more often. */
  activeAt: number;
  createdAt: number;
  /** When a worker last took one of its deliveries; 0: never. */
  servedAt: Generated<number>;
}

/** All names a repo ever had, so that old names stay aliases. A name belongs to the repo that had it last. */
interface RepoNamesTable {
  host: string;
  /** `owner/name`, lower-case: hosts compare without case. */
  fullName: string;
  repoId: RepoId;
}

/** The inbox. A hint is done after an evaluation that began after the hint was written. */
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

/** Commits that a ref is known to have pointed to. A commit in the middle of a push is not among them. */
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
  /** Nobody may claim the delivery before this time. */
  retryAt: number | null;
  leaseOwner: string | null;
  /** By the database's clock. */
  leaseUntil: number | null;
  /** Increases with every claim. A worker with a lower fence must not write any more. */
  fence: Generated<number>;
  /** Asks the current attempt to stop: 0 no, 1 cancelled, 2 superseded. It is cleared when the delivery ends. */
  cancelRequested: Generated<number>;
  /** When it last began to wait for CI. */
  waitingSince: number | null;
  failedBy: FailedBy | null;
  /** JSON of `Naming`; set from the point of no return until the delivery is delivered. */
  naming: string | null;
  /** When the commit is evaluated even without a hint; null: only a hint causes it. */
  lookAt: number | null;
  /** 1 if it may be prepared while CI runs. */
  aheadDue: Generated<number>;
  /** 1 if a person retried it: no newer commit supersedes it then. */
  insisted: Generated<number>;
}

/**
 * What failed: `gate`: CI took too long · `plan`: the pipeline file is wrong · `attempt`: the work. A later evaluation
 * may revise the first two.
 */
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
  /** The id of the store that holds the bytes. */
  frozenOn: string | null;
  /** The fence under which the digest was pinned (made final). */
  pinnedFence: number | null;
  bases: string | null;
  parts: string | null;
}

/**
 * `prepared`, `not-prepared` and `failed-ahead` are attempts to prepare while CI ran. `failed-ahead` is the user's
 * error: the same commit would fail again.
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
  /** `alarm`: somebody else changed a name of its release. `name-lost`: its release did not get a moving name. */
  action: Action | "alarm" | "name-lost";
  because: string;
}

/** Which commit has a version of a repo: the first that claimed it. */
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
  /** The version, if the bytes contain it and the commit has several; otherwise empty. */
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
  /** 1 if a git tag gave the version, 0 if it was computed. */
  tagged: number;
  at: number;
  /** `versionKey` of the version: an index finds a range of versions by it. Null: it is no semantic version. */
  sortKey: string | null;
}

interface LogsTable {
  deliveryId: string;
  seq: number;
  at: number;
  /** Length of the text in bytes, before compression. */
  bytes: number;
  /** Base64 of gzip. It is text because libsql accepts no bytes. */
  chunk: string;
}

/** Work that one process at a time does for all, under a lease. */
interface DutiesTable {
  name: string;
  owner: string;
  until: number;
}

/** Entries of `repos` whose repos were read once: the commits that their refs pointed to then count as old. */
interface BaselinesTable {
  entry: string;
  at: number;
}
