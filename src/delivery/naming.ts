import type { ProofNotes } from "./proof/facts.ts";
import type { Plan, Repo } from "./types.ts";

/**
 * What a delivery publishes, fixed just before its first name is written. A worker that continues the delivery follows
 * this and reads neither refs nor pipeline nor gate again, so that the delivery ends as it began.
 */
export interface Naming {
  /** The names of its repo at that time. */
  repo: Pick<Repo, "owner" | "name">;
  plan: Plan;
  /** Full watched refs that contained the commit. */
  refs: string[];
  /** Short names of the tags on it. */
  tags: string[];
  artifacts: NamedArtifact[];
  /** What the proofs of its releases rest on. Null or left out: it was begun before deliverd kept evidence. */
  proof?: ProofNotes | null;
}

export type NamedArtifact = { name: string } & ({ kind: "unchanged"; since: string } | ({ kind: "prepared" } & Share));

/** Which of a commit's versions one content has. */
export interface Share {
  /** All versions of the commit, or only one if the bytes contain the version. */
  versions: string[];
  /** The version that the bytes contain. Empty: none. */
  variant: string;
  /** The commit's first version. */
  first: string;
  /** Names without a version belong to the first content. */
  isFirst: boolean;
}
