import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

// A migration sees the schema as it was in its time, hence no types of today.
type Database = Kysely<unknown>;
type Table = CreateTableBuilder<string, string>;

/** What the tables are for stands in ../schema.ts. */
export async function up(db: Database): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  // STRICT makes SQLite as exact about types as PostgreSQL is.
  const create = (name: string) => {
    const table = db.schema.createTable(name) as unknown as Table;
    return sqlite ? table.modifyEnd(sql`strict`) : table;
  };
  const int = sqlite ? "integer" : "bigint";
  const serial = (table: Table) =>
    sqlite
      ? table.addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
      : table.addColumn("id", "bigint", (column) => column.primaryKey().generatedAlwaysAsIdentity());
  const kit: Kit = { db, create, serial, int };
  await repos(kit);
  await deliveries(kit);
  await registries(kit);
  await releases(kit);
}

interface Kit {
  db: Database;
  create: (name: string) => Table;
  serial: (table: Table) => Table;
  int: "integer" | "bigint";
}

async function repos({ db, create, serial, int }: Kit): Promise<void> {
  await create("repos")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("default_branch", "text")
    .addColumn("active_at", int, (column) => column.notNull())
    .addColumn("created_at", int, (column) => column.notNull())
    .execute();
  await create("repo_names")
    .addColumn("host", "text", (column) => column.notNull())
    .addColumn("full_name", "text", (column) => column.notNull())
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addPrimaryKeyConstraint("repo_names_key", ["host", "full_name"])
    .execute();
  await db.schema.createIndex("repo_names_by_name").on("repo_names").column("full_name").execute();

  await serial(create("hints"))
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("event", "text", (column) => column.notNull())
    .addColumn("delivery_id", "text", (column) => column.notNull())
    .addColumn("ref", "text")
    .addColumn("sha", "text")
    .addColumn("received_at", int, (column) => column.notNull())
    .addColumn("done_at", int)
    .addColumn("because", "text")
    .execute();
  await db.schema
    .createIndex("hints_undone")
    .on("hints")
    .columns(["repo_id", "sha", "id"])
    .where(sql.ref("done_at"), "is", null)
    .execute();
  await db.schema
    .createIndex("hints_undone_by_id")
    .on("hints")
    .column("id")
    .where(sql.ref("done_at"), "is", null)
    .execute();
  await db.schema.createIndex("hints_by_commit").on("hints").columns(["repo_id", "sha"]).execute();
  await db.schema.createIndex("hints_by_ref").on("hints").columns(["repo_id", "ref"]).execute();

  await create("heads")
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("ref", "text", (column) => column.notNull())
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("seen_at", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("heads_key", ["repo_id", "ref", "sha"])
    .execute();
  await db.schema.createIndex("heads_by_commit").on("heads").columns(["repo_id", "sha"]).execute();

  await serial(create("decisions"))
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("at", int, (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("because", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("decisions_by_commit").on("decisions").columns(["repo_id", "sha", "id"]).execute();
}

async function deliveries({ db, create, int }: Kit): Promise<void> {
  await create("deliveries")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("ref", "text")
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("because", "text", (column) => column.notNull())
    .addColumn("version", "text")
    .addColumn("message", "text", (column) => column.notNull())
    .addColumn("author", "text", (column) => column.notNull())
    .addColumn("committed_at", int)
    .addColumn("plan", "text")
    .addColumn("created_at", int, (column) => column.notNull())
    .addColumn("started_at", int)
    .addColumn("finished_at", int)
    .addColumn("updated_at", int, (column) => column.notNull())
    .addColumn("attempts", int, (column) => column.notNull().defaultTo(0))
    .addColumn("retry_at", int)
    .addColumn("lease_owner", "text")
    .addColumn("lease_until", int)
    .addColumn("fence", int, (column) => column.notNull().defaultTo(0))
    .addColumn("cancel_requested", int, (column) => column.notNull().defaultTo(0))
    .addUniqueConstraint("deliveries_commit", ["repo_id", "sha"])
    .execute();
  await db.schema.createIndex("deliveries_newest").on("deliveries").columns(["created_at", "id"]).execute();
  await db.schema
    .createIndex("deliveries_newest_of_repo")
    .on("deliveries")
    .columns(["repo_id", "created_at", "id"])
    .execute();
  await db.schema.createIndex("deliveries_by_state").on("deliveries").columns(["state", "created_at", "id"]).execute();

  await create("artifacts")
    .addColumn("delivery_id", "text", (column) => column.notNull().references("deliveries.id"))
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("position", int, (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("because", "text", (column) => column.notNull())
    .addColumn("digest", "text")
    .addColumn("media_type", "text")
    .addColumn("size", int)
    .addColumn("frozen_on", "text")
    .addColumn("pinned_fence", int)
    .addColumn("bases", "text")
    .addPrimaryKeyConstraint("artifacts_key", ["delivery_id", "name"])
    .execute();

  await create("attempts")
    .addColumn("delivery_id", "text", (column) => column.notNull().references("deliveries.id"))
    .addColumn("fence", int, (column) => column.notNull())
    .addColumn("owner", "text", (column) => column.notNull())
    .addColumn("started_at", int, (column) => column.notNull())
    .addColumn("ended_at", int)
    .addColumn("outcome", "text")
    .addColumn("error_code", "text")
    .addColumn("message", "text")
    .addPrimaryKeyConstraint("attempts_key", ["delivery_id", "fence"])
    .execute();

  await create("logs")
    .addColumn("delivery_id", "text", (column) => column.notNull().references("deliveries.id"))
    .addColumn("seq", int, (column) => column.notNull())
    .addColumn("at", int, (column) => column.notNull())
    .addColumn("bytes", int, (column) => column.notNull())
    .addColumn("chunk", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("logs_key", ["delivery_id", "seq"])
    .execute();

  await create("outbox")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("delivery_id", "text")
    .addColumn("payload", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("revision", int, (column) => column.notNull())
    .addColumn("created_at", int, (column) => column.notNull())
    .addColumn("updated_at", int, (column) => column.notNull())
    .addColumn("sent_at", int)
    .addColumn("attempts", int, (column) => column.notNull())
    .addColumn("retry_at", int)
    .addColumn("error", "text")
    .execute();
  await db.schema
    .createIndex("outbox_unsent")
    .on("outbox")
    .columns(["updated_at", "id"])
    .where(sql.ref("state"), "=", sql.lit("unsent"))
    .execute();
  await db.schema.createIndex("outbox_by_commit").on("outbox").columns(["repo_id", "sha"]).execute();
}

async function registries({ db, create, int }: Kit): Promise<void> {
  await create("version_claims")
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("version", "text", (column) => column.notNull())
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("at", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("version_claims_key", ["repo_id", "version"])
    .execute();
  await create("name_owners")
    .addColumn("registry", "text", (column) => column.notNull())
    .addColumn("repository", "text", (column) => column.notNull())
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("at", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("name_owners_key", ["registry", "repository"])
    .execute();
  await create("locations")
    .addColumn("registry", "text", (column) => column.notNull())
    .addColumn("repository", "text", (column) => column.notNull())
    .addColumn("tag", "text", (column) => column.notNull())
    .addColumn("immutable", int, (column) => column.notNull())
    .addColumn("delivery_id", "text", (column) => column.notNull().references("deliveries.id"))
    .addColumn("artifact", "text", (column) => column.notNull())
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("url", "text", (column) => column.notNull())
    .addColumn("pull", "text", (column) => column.notNull())
    .addColumn("at", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("locations_key", ["registry", "repository", "tag"])
    .execute();
  await db.schema.createIndex("locations_of_delivery").on("locations").columns(["delivery_id", "artifact"]).execute();
  await db.schema
    .createIndex("locations_of_content")
    .on("locations")
    .columns(["repo_id", "artifact", "digest"])
    .execute();
}

async function releases({ db, create, int }: Kit): Promise<void> {
  await create("releases")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("sha", "text", (column) => column.notNull())
    .addColumn("artifact", "text", (column) => column.notNull())
    .addColumn("variant", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("version", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("media_type", "text", (column) => column.notNull())
    .addColumn("size", int, (column) => column.notNull())
    .addColumn("ref", "text")
    .addColumn("delivery_id", "text", (column) => column.notNull().references("deliveries.id"))
    .addColumn("committed_at", int, (column) => column.notNull())
    .addColumn("released_at", int, (column) => column.notNull())
    .addColumn("metadata", "text", (column) => column.notNull())
    .addUniqueConstraint("releases_commit", ["repo_id", "sha", "artifact", "variant"])
    .execute();
  await db.schema.createIndex("releases_newest").on("releases").columns(["released_at", "id"]).execute();
  await db.schema
    .createIndex("releases_newest_of_artifact")
    .on("releases")
    .columns(["repo_id", "artifact", "released_at", "id"])
    .execute();
  await db.schema.createIndex("releases_of_delivery").on("releases").column("delivery_id").execute();
  await db.schema.createIndex("releases_by_digest").on("releases").column("digest").execute();

  await create("release_versions")
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("artifact", "text", (column) => column.notNull())
    .addColumn("version", "text", (column) => column.notNull())
    .addColumn("release_id", "text", (column) => column.notNull().references("releases.id"))
    .addColumn("tagged", int, (column) => column.notNull())
    .addColumn("at", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("release_versions_key", ["repo_id", "artifact", "version"])
    .execute();
  await db.schema.createIndex("release_versions_of_release").on("release_versions").column("release_id").execute();
  await db.schema
    .createIndex("release_versions_by_version")
    .on("release_versions")
    .columns(["artifact", "version"])
    .execute();
}
