import type { RepoId } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";

/** Records which release `latest` means. A null `releaseId` records "none", and never replaces a release. */
export async function recordLatestRelease(
  ledger: Db,
  { repoId, artifact, releaseId }: { repoId: RepoId; artifact: string; releaseId: string | null },
): Promise<void> {
  await ledger.db
    .insertInto("latestReleases")
    .values({ repoId, artifact, releaseId })
    .onConflict((conflict) =>
      conflict.columns(["repoId", "artifact"]).doUpdateSet((eb) => ({
        // The same rule as for a registry's `latest` tag: it stays where it is until another release gets it.
        releaseId: eb.fn.coalesce("excluded.releaseId", "latestReleases.releaseId"),
      })),
    )
    .execute();
}

/** What was last recorded; `unknown` if nothing was recorded yet. */
export async function getLatestRelease(
  ledger: Db,
  repoId: RepoId,
  artifact: string,
): Promise<{ kind: "unknown" } | { kind: "recorded"; releaseId: string | null }> {
  const row = await ledger.db
    .selectFrom("latestReleases")
    .select("releaseId")
    .where("repoId", "=", repoId)
    .where("artifact", "=", artifact)
    .executeTakeFirst();
  return row === undefined ? { kind: "unknown" } : { kind: "recorded", releaseId: row.releaseId };
}
