import type { Selectable } from "kysely";
import type { Envelope } from "../delivery/proof/dsse.ts";
import type { Db, Tx } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

/** Times in ms since the epoch. */
export type ProofKey = Selectable<Schema["proofKeys"]>;

/** Every key that ever signed, the oldest first. */
export function proofKeys(ledger: Db): Promise<ProofKey[]> {
  return ledger.db.selectFrom("proofKeys").selectAll().orderBy("validFrom").orderBy("keyId").execute();
}

/** Every list of keys that was published, in order. */
export async function keyLists(ledger: Db): Promise<Envelope[]> {
  const rows = await ledger.db.selectFrom("keyLists").select("envelope").orderBy("seq").execute();
  return rows.map(({ envelope }) => JSON.parse(envelope) as Envelope);
}

/**
 * Publishes a list of keys that was made from the lists before it, and saves its keys.
 * @param seq how many lists there were when it was made
 * @returns false if there is another list by now: this one has to be made again
 */
export async function publishKeyList(
  tx: Tx,
  seq: number,
  keys: readonly ProofKey[],
  envelope: Envelope,
): Promise<boolean> {
  const added = await tx.db
    .insertInto("keyLists")
    .values({ seq: seq + 1, envelope: JSON.stringify(envelope), at: now(tx) })
    .onConflict((conflict) => conflict.column("seq").doNothing())
    .executeTakeFirst();
  if (added.numInsertedOrUpdatedRows === 0n) return false;
  for (const key of keys) {
    await tx.db
      .insertInto("proofKeys")
      .values(key)
      .onConflict((conflict) =>
        conflict.column("keyId").doUpdateSet((eb) => ({
          validUntil: eb.ref("excluded.validUntil"),
          revokedAt: eb.ref("excluded.revokedAt"),
        })),
      )
      .execute();
  }
  return true;
}
