import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/** A version of a repo belongs to the first commit that claims it, for good. */
export async function claimVersion(
  ledger: Db,
  repoId: RepoId,
  version: string,
  sha: Sha,
): Promise<{ ok: true } | { ok: false; belongsTo: Sha }> {
  await ledger.db
    .insertInto("versionClaims")
    .values({ repoId, version, sha, at: now(ledger) })
    .onConflict((conflict) => conflict.columns(["repoId", "version"]).doNothing())
    .execute();
  const owner = await ledger.db
    .selectFrom("versionClaims")
    .select("sha")
    .where("repoId", "=", repoId)
    .where("version", "=", version)
    .executeTakeFirstOrThrow();
  return owner.sha === sha ? { ok: true } : { ok: false, belongsTo: owner.sha };
}

/** The versions of a commit, first claimed first. */
export async function versionsOf(ledger: Db, repoId: RepoId, sha: Sha): Promise<string[]> {
  const rows = await ledger.db
    .selectFrom("versionClaims")
    .select("version")
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .orderBy("at")
    .orderBy("version")
    .execute();
  return rows.map((row) => row.version);
}
