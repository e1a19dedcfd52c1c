import type { Plan, Repo } from "./types.ts";

/**
 * What a delivery publishes, as it stood when its first name was about to be written. Whoever goes on follows this, and asks
 * neither refs, pipeline nor gate again: what is begun is finished as it was begun.
 */
export interface Naming {
  /** The names that its repo bore. */
  repo: Pick<Repo, "owner" | "name">;
  plan: Plan;
  /** Watched full refs that held the commit. */
  refs: string[];
  /** Short names of the tags on it. */
  tags: string[];
  artifacts: NamedArtifact[];
}

export type NamedArtifact = { name: string } & ({ kind: "unchanged"; since: string } | ({ kind: "prepared" } & Share));

/** Which of a commit's versions a content bears. */
export interface Share {
  /** All of the commit's, or just one where the bytes hold it. */
  versions: string[];
  /** Empty, or the version that the bytes hold. */
  variant: string;
  /** The commit's first version. */
  first: string;
  /** Names that hold no version belong to the first content. */
  isFirst: boolean;
}
