import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

/** Who writes which name now, who was refused one, and which release `latest` means. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  const create = (name: string) => {
    const table = db.schema.createTable(name) as unknown as CreateTableBuilder<string, string>;
    return sqlite ? table.modifyEnd(sql`strict`) : table;
  };
  const int = sqlite ? "integer" : "bigint";
  await db.schema
    .alterTable("name_owners")
    .addColumn("confirmed", int, (column) => column.notNull().defaultTo(0))
    .execute();
  // A claim under which nothing was ever published, as after a refused push, keeps nobody out.
  await sql`update name_owners set confirmed = 1 where exists (select 1 from locations
    where locations.registry = name_owners.registry and locations.repository = name_owners.repository)`.execute(db);
  const named = (name: string) =>
    create(name)
      .addColumn("registry", "text", (column) => column.notNull())
      .addColumn("repository", "text", (column) => column.notNull())
      .addColumn("tag", "text", (column) => column.notNull())
      .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"));
  await named("name_writes")
    .addColumn("immutable", int, (column) => column.notNull())
    .addColumn("digests", "text", (column) => column.notNull())
    .addColumn("token", "text", (column) => column.notNull())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("until", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("name_writes_key", ["registry", "repository", "tag"])
    .execute();
  await named("lost_names")
    .addColumn("artifact", "text", (column) => column.notNull())
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("because", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("lost_names_key", ["repo_id", "artifact", "sha", "registry", "repository", "tag"])
    .execute();
  await create("latest_releases")
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("artifact", "text", (column) => column.notNull())
    .addColumn("release_id", "text", (column) => column.references("releases.id"))
    .addPrimaryKeyConstraint("latest_releases_key", ["repo_id", "artifact"])
    .execute();
}
