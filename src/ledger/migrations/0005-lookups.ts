import { type Kysely, sql } from "kysely";

/** Ways to what is asked for on a ledger with a long past, where reading a whole table takes seconds. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const index = (table: string, name: string, columns: string[]) =>
    db.schema.createIndex(`${table}_${name}`).on(table).columns(columns);
  const isSet = (column: string) => sql<boolean>`${sql.ref(column)} is not null`;
  await index("deliveries", "by_sha", ["sha"]).execute();
  await index("deliveries", "by_state_of_repo", ["repo_id", "state", "created_at", "id"]).execute();
  await index("deliveries", "leased", ["lease_owner"]).where(isSet("lease_owner")).execute();
  await index("releases", "by_sha", ["sha"]).execute();
  await index("releases", "newest_of_repo", ["repo_id", "released_at", "id"]).execute();
  await index("releases", "newest_of_name", ["artifact", "released_at", "id"]).execute();
  await index("releases", "by_ref", ["repo_id", "ref"]).execute();
  await index("releases", "by_commit_date", ["repo_id", "artifact", "committed_at"]).execute();
  await index("release_versions", "tagged", ["repo_id", "artifact"]).where("tagged", "=", sql.lit(1)).execute();
  // What is too old to be kept goes by these.
  await index("hints", "by_end", ["done_at"]).where(isSet("done_at")).execute();
  await index("decisions", "by_time", ["at"]).execute();
  await index("attempts", "by_time", ["started_at"]).execute();
  await index("logs", "by_time", ["at"]).execute();
}
