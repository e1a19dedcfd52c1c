import type { RepoId } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";

/** Notes which release `latest` means; null: none, as long as none was noted before. */
export async function recordLatestRelease(
  ledger: Db,
  { repoId, artifact, releaseId }: { repoId: RepoId; artifact: string; releaseId: string | null },
): Promise<void> {
  await ledger.db
    .insertInto("latestReleases")
    .values({ repoId, artifact, releaseId })
    .onConflict((conflict) =>
      conflict.columns(["repoId", "artifact"]).doUpdateSet((eb) => ({
        // What stands stays where nothing else is to stand, as under a registry's name.
        releaseId: eb.fn.coalesce("excluded.releaseId", "latestReleases.releaseId"),
      })),
    )
    .execute();
}

/** As the last worker found that looked. `unknown`: none has yet. */
export async function getLatestRelease(
  ledger: Db,
  repoId: RepoId,
  artifact: string,
): Promise<{ kind: "unknown" } | { kind: "noted"; releaseId: string | null }> {
  const row = await ledger.db
    .selectFrom("latestReleases")
    .select("releaseId")
    .where("repoId", "=", repoId)
    .where("artifact", "=", artifact)
    .executeTakeFirst();
  return row === undefined ? { kind: "unknown" } : { kind: "noted", releaseId: row.releaseId };
}
