import { FINISHED } from "./deliveries.ts";
import type { Db } from "./ledger.ts";
import { fromNow } from "./sql.ts";

/**
 * Drops what explains deliveries that ended long ago: hints, decisions, attempts and logs. Deliveries, releases, versions
 * and names stay. @param age ms. @returns how many rows went
 */
export async function forgetOld(ledger: Db, age: number): Promise<number> {
  const before = fromNow(ledger, -age);
  if (before === null) return 0;
  const ended = ledger.db
    .selectFrom("deliveries")
    .select("id")
    .where("state", "in", FINISHED)
    .where("finishedAt", "<", before);
  const results = [
    await ledger.db.deleteFrom("hints").where("doneAt", "<", before).executeTakeFirst(),
    await ledger.db.deleteFrom("decisions").where("at", "<", before).executeTakeFirst(),
    await ledger.db.deleteFrom("attempts").where("deliveryId", "in", ended).executeTakeFirst(),
    await ledger.db.deleteFrom("logs").where("deliveryId", "in", ended).executeTakeFirst(),
  ];
  return results.reduce((sum, result) => sum + Number(result.numDeletedRows), 0);
}
