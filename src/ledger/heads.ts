import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import { chunks, now } from "./sql.ts";

export interface Head {
  /** Full ref. */
  ref: string;
  sha: Sha;
}

/** Records that these refs point, or pointed, to these commits. @returns the pairs that were not recorded before */
export function recordHeads(ledger: Db, repoId: RepoId, heads: readonly Head[]): Promise<Head[]> {
  return ledger.transaction(async (tx) => {
    const fresh: Head[] = [];
    for (const some of chunks(heads)) {
      const rows = await tx.db
        .insertInto("heads")
        .values(some.map(({ ref, sha }) => ({ repoId, ref, sha, seenAt: now(tx) })))
        .onConflict((conflict) => conflict.columns(["repoId", "ref", "sha"]).doNothing())
        .returning(["ref", "sha"])
        .execute();
      fresh.push(...rows);
    }
    return fresh;
  });
}

/** Whether any ref is known to have pointed to the commit. */
export async function wasEverHead(ledger: Db, repoId: RepoId, sha: Sha): Promise<boolean> {
  return (await headsOf(ledger, repoId, sha)).length > 0;
}

/** The refs that pointed to the commit, in the order in which they were first seen. */
export function headsOf(ledger: Db, repoId: RepoId, sha: Sha): Promise<(Head & { seenAt: number })[]> {
  return ledger.db
    .selectFrom("heads")
    .select(["ref", "sha", "seenAt"])
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .orderBy("seenAt")
    .orderBy("ref")
    .execute();
}

/** Every pair of ref and commit that was recorded for the repo. */
export function allHeads(ledger: Db, repoId: RepoId): Promise<Head[]> {
  return ledger.db.selectFrom("heads").select(["ref", "sha"]).where("repoId", "=", repoId).execute();
}
