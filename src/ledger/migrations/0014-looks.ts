import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

/** What looking at a commit or ref came to so far: what cannot be answered gets its share of the looks, and no more. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  const int = sqlite ? "integer" : "bigint";
  const table = db.schema.createTable("looks") as unknown as CreateTableBuilder<string, string>;
  await (sqlite ? table.modifyEnd(sql`strict`) : table)
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("ref", "text", (column) => column.notNull())
    .addColumn("unasked", int, (column) => column.notNull().defaultTo(0))
    .addColumn("looked_at", int)
    .addColumn("failures", int, (column) => column.notNull().defaultTo(0))
    .addColumn("retry_at", int)
    .addColumn("calls", int)
    .addColumn("at", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("looks_key", ["repo_id", "sha", "ref"])
    .execute();
}
