import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import { chunks } from "./sql.ts";

/** For each of the commits that has a release of the artifact: the version of the first release. */
export async function releasedVersions(
  ledger: Db,
  { repoId, artifact }: { repoId: RepoId; artifact: string },
  shas: readonly Sha[],
): Promise<Map<Sha, string>> {
  const found = new Map<Sha, string>();
  for (const some of chunks(shas)) {
    const rows = await ledger.db
      .selectFrom("releases")
      .select(["sha", "version"])
      .where("repoId", "=", repoId)
      .where("artifact", "=", artifact)
      .where("sha", "in", some)
      .orderBy("releasedAt", "desc")
      .execute();
    for (const { sha, version } of rows) found.set(sha, version);
  }
  return found;
}

/** Commits of a repo whose deliveries have chosen their versions and are not finished yet. */
export async function commitsInProgress(ledger: Db, repoId: RepoId): Promise<Sha[]> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .select("sha")
    .where("repoId", "=", repoId)
    .where((eb) => eb.or([eb("state", "in", ["building", "publishing"]), eb("naming", "is not", null)]))
    .execute();
  return rows.map(({ sha }) => sha);
}
