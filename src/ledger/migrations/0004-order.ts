import { type Kysely, SqliteAdapter, sql } from "kysely";

/** What is asked at each job: which deliveries are not at their end, and when their repos had their turn. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const int = db.getExecutor().adapter instanceof SqliteAdapter ? "integer" : "bigint";
  await db.schema
    .alterTable("repos")
    .addColumn("served_at", int, (column) => column.notNull().defaultTo(0))
    .execute();
  await sql`create index deliveries_active on deliveries (created_at, id)
    where state in ('queued', 'building', 'publishing')`.execute(db);
}
