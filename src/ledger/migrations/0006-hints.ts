import { type Kysely, sql } from "kysely";

/**
 * `hints_by_commit` finds a commit's hints, done or not, and they are few: an index of those not done cost each webhook
 * one more page of the ledger, at a place of its own. By its ref alone only a hint is asked for that names no commit.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.dropIndex("hints_undone").execute();
  await db.schema.dropIndex("hints_by_ref").execute();
  await db.schema
    .createIndex("hints_by_ref")
    .on("hints")
    .columns(["repo_id", "ref"])
    .where(sql.ref("sha"), "is", null)
    .execute();
}
