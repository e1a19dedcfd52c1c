import { type RawBuilder, sql } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import { ACTIVE_STATES } from "./deliveries.ts";
import type { Db, Tx } from "./ledger.ts";
import { now } from "./sql.ts";

/** `busy`: a delivery under way has it, and may fail yet. */
export type VersionClaim = { ok: true } | { ok: false; belongsTo: Sha; isBusy: boolean };

/**
 * A version of a repo belongs to the first commit that claims it: until then where nothing was published under it and nobody
 * works on that any more, for good where something was.
 */
export function claimVersion(ledger: Db, repoId: RepoId, version: string, sha: Sha): Promise<VersionClaim> {
  return ledger.transaction(async (tx) => {
    await tx.db
      .insertInto("versionClaims")
      .values({ repoId, version, sha, at: now(tx) })
      .onConflict((conflict) => conflict.columns(["repoId", "version"]).doNothing())
      .execute();
    const owner = await ownerOf(tx, repoId, version);
    if (owner === sha || (owner !== null && (await takeOver(tx, repoId, version, owner, sha)))) return { ok: true };
    const belongsTo = owner ?? "";
    const { isBusy } = await tx.db
      .selectNoFrom(
        sql<number>`case when exists (${deliveryOf(repoId, belongsTo, sql`state in (${active()}) and naming is null`)})
        then 1 else 0 end`.as("isBusy"),
      )
      .executeTakeFirstOrThrow();
    return { ok: false, belongsTo, isBusy: isBusy === 1 };
  });
}

async function ownerOf(ledger: Db, repoId: RepoId, version: string): Promise<Sha | null> {
  const row = await ledger.db
    .selectFrom("versionClaims")
    .select("sha")
    .where("repoId", "=", repoId)
    .where("version", "=", version)
    .executeTakeFirst();
  return row?.sha ?? null;
}

/** The delivery's row is held until the transaction ends, so that nobody begins anew with it meanwhile. */
async function takeOver(tx: Tx, repoId: RepoId, version: string, from: Sha, sha: Sha): Promise<boolean> {
  const held = await tx.db
    .updateTable("deliveries")
    .set((eb) => ({ updatedAt: eb.ref("updatedAt") }))
    .where("repoId", "=", repoId)
    .where("sha", "=", from)
    .where(publishedNothing(version))
    .returning("id")
    .executeTakeFirst();
  if (held === undefined) return false;
  await tx.db
    .updateTable("versionClaims")
    .set({ sha, at: now(tx) })
    .where("repoId", "=", repoId)
    .where("version", "=", version)
    .execute();
  return true;
}

/** Of a delivery: nobody works on it, and it has published nothing that may bear the version. */
function publishedNothing(version: string): RawBuilder<boolean> {
  return sql<boolean>`deliveries.state not in (${active()}) and deliveries.naming is null
    and not exists (select 1 from release_versions v where v.repo_id = deliveries.repo_id and v.version = ${version})
    and not exists (select 1 from locations l where l.delivery_id = deliveries.id and l.immutable = 1
      and not exists (select 1 from releases r where r.delivery_id = deliveries.id))`;
}

function deliveryOf(repoId: RepoId, sha: Sha, condition: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`select 1 from deliveries where repo_id = ${repoId} and sha = ${sha} and ${condition}`;
}

function active(): RawBuilder<unknown> {
  return sql.join(ACTIVE_STATES.map((state) => sql.lit(state)));
}

/** Those of the versions that another commit has for good, or is about to have. */
export async function versionsOfOthers(
  ledger: Db,
  repoId: RepoId,
  sha: Sha,
  versions: readonly string[],
): Promise<Set<string>> {
  const foreign = new Set<string>();
  for (const version of versions) {
    const owner = await ownerOf(ledger, repoId, version);
    if (owner === null || owner === sha) continue;
    const free = deliveryOf(repoId, owner, publishedNothing(version));
    const row = await ledger.db
      .selectNoFrom(sql<number>`case when exists (${free}) then 1 else 0 end`.as("isFree"))
      .executeTakeFirstOrThrow();
    if (row.isFree === 0) foreign.add(version);
  }
  return foreign;
}

/** The versions of a repo that are no pre-releases and whose commits are delivered, whatever was released of them. */
export async function deliveredVersions(ledger: Db, repoId: RepoId): Promise<string[]> {
  const rows = await ledger.db
    .selectFrom("versionClaims as c")
    .innerJoin("deliveries as d", (join) => join.onRef("d.repoId", "=", "c.repoId").onRef("d.sha", "=", "c.sha"))
    .select("c.version")
    .where("c.repoId", "=", repoId)
    // Every untagged commit has one, which is a pre-release.
    .where("c.version", "not like", "%-%")
    .where("d.state", "=", "delivered")
    .execute();
  return rows.map(({ version }) => version);
}

/** The versions of a commit, first claimed first. */
export async function versionsOfCommit(ledger: Db, repoId: RepoId, sha: Sha): Promise<string[]> {
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
