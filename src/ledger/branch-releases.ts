import type { RepoId } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import { chunks } from "./sql.ts";

/**
 * Records which release of an artifact stands on each branch now. A branch that is left out has none any more.
 * @param standing ids of releases by full ref
 */
export function recordBranchReleases(
  ledger: Db,
  { repoId, artifact }: { repoId: RepoId; artifact: string },
  standing: ReadonlyMap<string, string>,
): Promise<void> {
  return ledger.transaction(async (tx) => {
    const known = await tx.db
      .selectFrom("branchReleases")
      .select(["ref", "releaseId"])
      .where("repoId", "=", repoId)
      .where("artifact", "=", artifact)
      .execute();
    const before = new Map(known.map(({ ref, releaseId }) => [ref, releaseId]));
    const gone = [...before.keys()].filter((ref) => !standing.has(ref));
    const moved = [...standing].filter(([ref, releaseId]) => before.get(ref) !== releaseId);
    for (const refs of chunks(gone))
      await tx.db
        .deleteFrom("branchReleases")
        .where("repoId", "=", repoId)
        .where("artifact", "=", artifact)
        .where("ref", "in", refs)
        .execute();
    for (const some of chunks(moved))
      await tx.db
        .insertInto("branchReleases")
        .values(some.map(([ref, releaseId]) => ({ repoId, artifact, ref, releaseId })))
        .onConflict((conflict) =>
          conflict
            .columns(["repoId", "artifact", "ref"])
            .doUpdateSet((eb) => ({ releaseId: eb.ref("excluded.releaseId") })),
        )
        .execute();
  });
}
