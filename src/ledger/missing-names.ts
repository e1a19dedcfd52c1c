import type { ArtifactName, RepoId, Sha } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";

/** A name that a release asked for and did not get, and why. */
export interface MissingName extends Omit<ArtifactName, "immutable"> {
  sha: Sha;
  because: string;
}

/** The names that an artifact's releases lack now. */
export function listMissingNames(ledger: Db, repoId: RepoId, artifact: string): Promise<MissingName[]> {
  return ledger.db
    .selectFrom("lostNames")
    .select(["registry", "repository", "tag", "sha", "because"])
    .where("repoId", "=", repoId)
    .where("artifact", "=", artifact)
    .orderBy("registry")
    .orderBy("repository")
    .orderBy("tag")
    .execute();
}

/** These, and no others. */
export async function replaceMissingNames(
  tx: Tx,
  repoId: RepoId,
  artifact: string,
  lost: MissingName[],
): Promise<void> {
  await tx.db.deleteFrom("lostNames").where("repoId", "=", repoId).where("artifact", "=", artifact).execute();
  for (const one of lost) {
    await tx.db
      .insertInto("lostNames")
      .values({ ...one, repoId, artifact })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
