import type { Plan, Repo } from "../../src/delivery/types.ts";
import type { DatedCommit } from "../../src/git/commit.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import type { StoredHint } from "../../src/ledger/hints.ts";

/** A delivery under way: what its steps hand on. */
export interface Work {
  delivery: Delivery;
  repo: Repo;
  mirror: Mirror;
  commit: DatedCommit;
  plan: Plan;
  /** Watched full refs that hold the commit. */
  refs: string[];
  /** Short names of the git tags on exactly this commit. */
  tags: string[];
  /** The hints about the commit, as they were read when the attempt began. */
  hints: StoredHint[];
  fence: number;
  /** The beginning of its builds' ids in the engine. Left out: what says which attempt they belong to. */
  builtAs?: string;
}
