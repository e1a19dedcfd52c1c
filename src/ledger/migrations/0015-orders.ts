import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

/** What people asked for at their host, and the report that the host took last. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  const int = sqlite ? "integer" : "bigint";
  const table = db.schema.createTable("orders") as unknown as CreateTableBuilder<string, string>;
  const strict = sqlite ? table.modifyEnd(sql`strict`) : table;
  const withId = sqlite
    ? strict.addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    : strict.addColumn("id", "bigint", (column) => column.primaryKey().generatedAlwaysAsIdentity());
  await withId
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("person", "text", (column) => column.notNull())
    .addColumn("event", "text", (column) => column.notNull())
    .addColumn("delivery_id", "text", (column) => column.notNull())
    .addColumn("received_at", int, (column) => column.notNull())
    .addColumn("attempts", int, (column) => column.notNull().defaultTo(0))
    .addColumn("retry_at", int)
    .addColumn("done_at", int)
    .addColumn("because", "text")
    .execute();
  await sql`create index orders_undone on orders (received_at) where done_at is null`.execute(db);
  await sql`create index orders_done on orders (done_at) where done_at is not null`.execute(db);
  await sql`create unique index orders_of_request on orders (repo_id, sha, action, delivery_id)
    where delivery_id <> ''`.execute(db);
  await db.schema.alterTable("outbox").addColumn("said", "text").execute();
}
