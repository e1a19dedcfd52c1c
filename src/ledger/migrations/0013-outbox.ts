import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

const AT_ONCE = 500;

/** Who sends a row, in which lane, and what was told once and must not be told again when its row is gone. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  const int = sqlite ? "integer" : "bigint";
  const number = async (name: string) =>
    db.schema
      .alterTable("outbox")
      .addColumn(name, int, (column) => column.notNull().defaultTo(0))
      .execute();
  await db.schema
    .alterTable("outbox")
    .addColumn("lane", "text", (column) => column.notNull().defaultTo(""))
    .execute();
  await db.schema.alterTable("outbox").addColumn("lease_owner", "text").execute();
  await db.schema.alterTable("outbox").addColumn("lease_until", int).execute();
  await number("fence");
  await number("repeats");
  await sql`create index outbox_lanes on outbox (lane, updated_at, id) where state = 'unsent'`.execute(db);
  await sql`create index outbox_by_age on outbox (updated_at) where state <> 'unsent'`.execute(db);
  const told = db.schema.createTable("told") as unknown as CreateTableBuilder<string, string>;
  await (sqlite ? told.modifyEnd(sql`strict`) : told)
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("hash", "text", (column) => column.notNull())
    .addColumn("at", int, (column) => column.notNull())
    .execute();
  await carryOver(db);
}

/** The ledger's connection gives columns in camel case, whatever SQL calls them. */
interface OldRow {
  id: string;
  kind: string;
  repoId: string;
  payload: string;
  updatedAt: number;
}

async function carryOver(db: Kysely<unknown>): Promise<void> {
  for (let after = ""; ; ) {
    const { rows } =
      await sql<OldRow>`select id, kind, repo_id as "repoId", payload, updated_at as "updatedAt" from outbox
      where id > ${after} and kind <> 'names' order by id limit ${sql.lit(AT_ONCE)}`.execute(db);
    for (const row of rows) {
      const { target = "", notice } = JSON.parse(row.payload) as { target?: string; notice?: { id: string } };
      const lane = row.kind === "notice" ? `notice ${target}` : `status ${row.repoId.split(":", 1)[0] ?? ""}`;
      await sql`update outbox set lane = ${lane} where id = ${row.id}`.execute(db);
      if (notice === undefined) continue;
      await sql`insert into told (id, hash, at) values (${notice.id}, '', ${sql.lit(Number(row.updatedAt))})
        on conflict (id) do nothing`.execute(db);
    }
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}
