import type { ArtifactName, RepoId, Sha } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";

/** A moving name that a release should have but did not get, and why. */
export interface MissingName extends Omit<ArtifactName, "immutable"> {
  sha: Sha;
  because: string;
}

/** The moving names that an artifact's releases do not have although they should. */
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

/** Replaces the missing names of an artifact's releases by these. */
export async function replaceMissingNames(
  tx: Tx,
  repoId: RepoId,
  artifact: string,
  names: MissingName[],
): Promise<void> {
  await tx.db.deleteFrom("lostNames").where("repoId", "=", repoId).where("artifact", "=", artifact).execute();
  for (const name of names) {
    await tx.db
      .insertInto("lostNames")
      .values({ ...name, repoId, artifact })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
