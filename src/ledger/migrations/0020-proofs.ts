import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";

/** Proofs of releases, where they are put, and the keys that sign them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  const int = sqlite ? "integer" : "bigint";
  const table = (name: string) => {
    const created = db.schema.createTable(name) as unknown as CreateTableBuilder<string, string>;
    return sqlite ? created.modifyEnd(sql`strict`) : created;
  };
  await table("proofs")
    .addColumn("release_id", "text", (column) => column.primaryKey().references("releases.id"))
    .addColumn("facts", "text", (column) => column.notNull())
    .addColumn("signed_at", int)
    .addColumn("key_id", "text")
    .addColumn("because", "text")
    .addColumn("at", int, (column) => column.notNull())
    .execute();
  await table("proof_bundles")
    .addColumn("release_id", "text", (column) => column.notNull().references("releases.id"))
    .addColumn("predicate_type", "text", (column) => column.notNull())
    .addColumn("bundle", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("proof_bundles_key", ["release_id", "predicate_type"])
    .execute();
  await table("proof_subjects")
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("release_id", "text", (column) => column.notNull().references("releases.id"))
    .addPrimaryKeyConstraint("proof_subjects_key", ["digest", "release_id"])
    .execute();
  await table("proof_places")
    .addColumn("release_id", "text", (column) => column.notNull().references("releases.id"))
    .addColumn("registry", "text", (column) => column.notNull())
    .addColumn("repository", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("because", "text", (column) => column.notNull())
    .addColumn("at", int, (column) => column.notNull())
    .addPrimaryKeyConstraint("proof_places_key", ["release_id", "registry", "repository"])
    .execute();
  await table("proof_keys")
    .addColumn("key_id", "text", (column) => column.primaryKey())
    .addColumn("public_key", "text", (column) => column.notNull())
    .addColumn("holder", "text", (column) => column.notNull())
    .addColumn("valid_from", int, (column) => column.notNull())
    .addColumn("valid_until", int)
    .addColumn("revoked_at", int)
    .execute();
  await table("key_lists")
    .addColumn("seq", int, (column) => column.primaryKey())
    .addColumn("envelope", "text", (column) => column.notNull())
    .addColumn("at", int, (column) => column.notNull())
    .execute();
}
