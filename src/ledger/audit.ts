import type { Insertable, Selectable } from "kysely";
import type { Db } from "./ledger.ts";
import { type Page, pageOf, readCursor } from "./page.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

export type AuditEntry = Selectable<Schema["audit"]>;

/** Who did something, and from where. */
export type Actor = Pick<AuditEntry, "person" | "via">;

/** Adds what a person did. Call it in the transaction of the change itself: both are there, or none. */
export async function addToAudit(ledger: Db, entry: Omit<Insertable<Schema["audit"]>, "id" | "at">): Promise<void> {
  await ledger.db
    .insertInto("audit")
    .values({ ...entry, at: now(ledger) })
    .execute();
}

/** Newest first. */
export async function listAudit(
  ledger: Db,
  { cursor, limit }: { cursor?: string | undefined; limit: number },
): Promise<Page<AuditEntry>> {
  let query = ledger.db
    .selectFrom("audit")
    .selectAll()
    .orderBy("at", "desc")
    .orderBy("id", "desc")
    .limit(limit + 1);
  const after = readCursor(cursor);
  const id = Number(after?.id);
  if (after && Number.isSafeInteger(id))
    query = query.where((eb) => eb(eb.refTuple("at", "id"), "<", eb.tuple(after.at, id)));
  return pageOf(
    await query.execute(),
    limit,
    (row) => ({ at: row.at, id: String(row.id) }),
    (row) => row,
  );
}
