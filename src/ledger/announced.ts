import type { Db, Tx } from "./ledger.ts";
import { now } from "./sql.ts";

/** The hash of what was said last under this id, where its row in the outbox is gone; empty for an event; null: nothing was told. */
export async function lastAnnouncedHash(ledger: Db, id: string): Promise<string | null> {
  const row = await ledger.db.selectFrom("told").select("hash").where("id", "=", id).executeTakeFirst();
  return row?.hash ?? null;
}

/** @returns false: it was noted before */
export async function recordAnnounced(tx: Tx, id: string, hash: string): Promise<boolean> {
  const result = await tx.db
    .insertInto("told")
    .values({ id, hash, at: now(tx) })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0n) > 0;
}
