import type { Db } from "./ledger.ts";
import { fromNow, now, startsWith } from "./sql.ts";

/**
 * Takes or renews the lease of a duty: work that one process does for all.
 * @param ttl ms by the database's clock, after which another process may take the duty
 * @returns false if another process holds it
 */
export async function holdDuty(ledger: Db, name: string, owner: string, ttl: number): Promise<boolean> {
  const until = fromNow(ledger, ttl);
  if (until === null) return false;
  const row = await ledger.db
    .insertInto("duties")
    .values({ name, owner, until })
    .onConflict((conflict) =>
      conflict
        .column("name")
        .doUpdateSet((eb) => ({ owner: eb.ref("excluded.owner"), until: eb.ref("excluded.until") }))
        .where((eb) => eb.or([eb("duties.owner", "=", owner), eb("duties.until", "<=", now(ledger))])),
    )
    .returning("owner")
    .executeTakeFirst();
  return row !== undefined;
}

/** Ends the lease of a duty that is done. Nothing happens if another process holds it. */
export async function endDuty(ledger: Db, name: string, owner: string): Promise<void> {
  await ledger.db.deleteFrom("duties").where("name", "=", name).where("owner", "=", owner).execute();
}

/** Ends the leases of processes that are known to be dead. */
export async function endDutiesOf(ledger: Db, ownerPrefix: string): Promise<void> {
  await ledger.db
    .deleteFrom("duties")
    .where((eb) => startsWith(eb, "owner", ownerPrefix))
    .execute();
}
