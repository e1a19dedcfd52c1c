import type { Db, Tx } from "./ledger.ts";
import { now } from "./sql.ts";

/**
 * The record of what was announced, which outlives rows of the outbox.
 * @returns the hash of the last payload sent under this id; empty for an event; null if nothing was recorded
 */
export async function lastAnnouncedHash(ledger: Db, id: string): Promise<string | null> {
  const row = await ledger.db.selectFrom("told").select("hash").where("id", "=", id).executeTakeFirst();
  return row?.hash ?? null;
}

/** Records an announcement once. @returns false if it was recorded before */
export async function recordAnnounced(tx: Tx, id: string, hash: string): Promise<boolean> {
  const result = await tx.db
    .insertInto("told")
    .values({ id, hash, at: now(tx) })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0n) > 0;
}
