import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

/** What the sweep remembers between rounds, and who does it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  const create = (name: string) => {
    const table = db.schema.createTable(name) as unknown as CreateTableBuilder<string, string>;
    return sqlite ? table.modifyEnd(sql`strict`) : table;
  };
  const int = sqlite ? "integer" : "bigint";
  await create("duties")
    .addColumn("name", "text", (column) => column.primaryKey())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("until", int, (column) => column.notNull())
    .execute();
  await create("baselines")
    .addColumn("entry", "text", (column) => column.primaryKey())
    .addColumn("at", int, (column) => column.notNull())
    .execute();
}
