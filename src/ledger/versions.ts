import { type RawBuilder, sql } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import { ACTIVE_STATES } from "./deliveries.ts";
import type { Db, Tx } from "./ledger.ts";
import { now } from "./sql.ts";

/** `busy`: another commit has the version now, but its delivery may still fail · `taken`: another commit has it. */
export type VersionClaim = { kind: "claimed" } | { kind: "busy" | "taken"; belongsTo: Sha };

/**
 * Claims a version of a repo for a commit. The first commit that claims a version gets it. Another commit can take it
 * over as long as the first has published nothing and no worker has its delivery.
 */
export function claimVersion(ledger: Db, repoId: RepoId, version: string, sha: Sha): Promise<VersionClaim> {
  return ledger.transaction(async (tx) => {
    await tx.db
      .insertInto("versionClaims")
      .values({ repoId, version, sha, at: now(tx) })
      .onConflict((conflict) => conflict.columns(["repoId", "version"]).doNothing())
      .execute();
    const owner = await ownerOf(tx, repoId, version);
    if (owner === sha || (owner !== null && (await takeOver(tx, repoId, version, owner, sha))))
      return { kind: "claimed" };
    const belongsTo = owner ?? "";
    const { isBusy } = await tx.db
      .selectNoFrom(
        sql<number>`case when exists (${deliveryOf(repoId, belongsTo, sql`state in (${active()}) and naming is null`)})
        then 1 else 0 end`.as("isBusy"),
      )
      .executeTakeFirstOrThrow();
    return { kind: isBusy === 1 ? "busy" : "taken", belongsTo };
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

/** Locks the row of the former owner's delivery until the transaction ends, so that nobody can retry it meanwhile. */
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

/** A condition on deliveries: no worker has it, and it has published nothing that may have the version. */
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

/** Those of the versions that another commit has and that this commit cannot take over. */
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

/** The versions of a repo that are not pre-releases and whose commits are delivered. */
export async function deliveredVersions(ledger: Db, repoId: RepoId): Promise<string[]> {
  const rows = await ledger.db
    .selectFrom("versionClaims as c")
    .innerJoin("deliveries as d", (join) => join.onRef("d.repoId", "=", "c.repoId").onRef("d.sha", "=", "c.sha"))
    .select("c.version")
    .where("c.repoId", "=", repoId)
    // Each untagged commit has a pre-release version: this condition excludes them early.
    .where("c.version", "not like", "%-%")
    .where("d.state", "=", "delivered")
    .execute();
  return rows.map(({ version }) => version);
}

/** The versions that a commit has claimed, oldest claim first. */
export async function claimedVersions(ledger: Db, repoId: RepoId, sha: Sha): Promise<string[]> {
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
