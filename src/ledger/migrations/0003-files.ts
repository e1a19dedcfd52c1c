import type { Kysely } from "kysely";

/** Of which files a content is that is no image, and what it says of itself. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ["artifacts", "releases"]) await db.schema.alterTable(table).addColumn("parts", "text").execute();
}
