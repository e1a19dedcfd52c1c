import type { Generated } from "kysely";
import type { RepoId, Sha } from "../../delivery/types.ts";

// Tables about what there is and who did what, as a part of schema.ts.

/** The artifacts of which a repo has a release, each with the release that was recorded last. */
export interface ReleasedArtifactsTable {
  repoId: RepoId;
  artifact: string;
  releaseId: string;
}

/** The newest release on each branch that the artifact's plan watches, as of the last look at the branches. */
export interface BranchReleasesTable {
  repoId: RepoId;
  artifact: string;
  /** Full. */
  ref: string;
  releaseId: string;
}

/** Processes that work. One that was not seen for a while is gone. */
export interface WorkersTable {
  /** As in the leases that it holds. */
  owner: string;
  /** The name of its machine or container. */
  machine: string;
  version: string;
  slots: number;
  busy: number;
  /** Slots that are used to prepare commits while their CI runs. */
  ahead: number;
  startedAt: number;
  /** By the database's clock. */
  seenAt: number;
}

export type AuditAction = "retry" | "cancel" | "deliver" | "sign-in" | "sign-out" | "set-up";

/** What people changed. Rows are only added. */
export interface AuditTable {
  id: Generated<number>;
  at: number;
  /** The name of an access token, `admin` for the admin token, or a person's login at the host. */
  person: string;
  /** `token`, `session` (a page), or the key of the host where the person pressed a button. */
  via: string;
  action: AuditAction;
  repoId: RepoId | null;
  sha: Sha | null;
  /** What came of it. */
  outcome: string;
}
