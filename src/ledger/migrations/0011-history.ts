import { type Kysely, SqliteAdapter, sql } from "kysely";

/**
 * Since when a commit waits, what failed it, what it began to name, which looks it is owed, and whether a person asked
 * for it again.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const int = db.getExecutor().adapter instanceof SqliteAdapter ? "integer" : "bigint";
  const add = (name: string, type: "text" | typeof int) =>
    db.schema.alterTable("deliveries").addColumn(name, type).execute();
  await add("waiting_since", int);
  await add("failed_by", "text");
  await add("naming", "text");
  await add("look_at", int);
  for (const flag of ["ahead_due", "insisted"]) {
    await db.schema
      .alterTable("deliveries")
      .addColumn(flag, int, (column) => column.notNull().defaultTo(0))
      .execute();
  }
  await sql`update deliveries set waiting_since = created_at where state in ('waiting', 'failed')`.execute(db);
  await sql`update deliveries set failed_by = case
      when because like 'CI did not come to an end in time%' then 'gate'
      when attempts = 0 then 'plan'
      else 'attempt' end
    where state = 'failed'`.execute(db);
  // A request outlived the attempt that it was made to.
  await sql`update deliveries set cancel_requested = 0
    where state not in ('waiting', 'queued', 'building', 'publishing')`.execute(db);
  await sql`create index deliveries_to_look_at on deliveries (look_at) where look_at is not null`.execute(db);
  await sql`create index deliveries_ahead on deliveries (created_at) where ahead_due = 1`.execute(db);
}
