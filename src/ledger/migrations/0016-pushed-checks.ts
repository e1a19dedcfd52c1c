import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

/** Results of CI that were sent to `POST /api/v1/ci`. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  const int = sqlite ? "integer" : "bigint";
  const table = db.schema.createTable("pushed_checks") as unknown as CreateTableBuilder<string, string>;
  const strict = sqlite ? table.modifyEnd(sql`strict`) : table;
  await strict
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("url", "text")
    .addColumn("at", int, (column) => column.notNull())
    .addColumn("received_at", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("pushed_checks_key", ["repo_id", "sha", "name"])
    .execute();
  await sql`create index pushed_checks_received on pushed_checks (received_at)`.execute(db);
}
