import { sql } from "kysely";
import { FINISHED } from "./deliveries.ts";
import type { Db } from "./ledger.ts";
import { fromNow } from "./sql.ts";

/**
 * Drops what explains deliveries that ended long ago: hints, decisions, attempts and logs. Deliveries, releases, versions
 * and names stay. What it costs goes by what it drops, however much there is. @param age ms. @returns how many rows went
 */
export async function forgetOld(ledger: Db, age: number): Promise<number> {
  const before = fromNow(ledger, -age);
  if (before === null) return 0;
  // Asked for each old row by itself: a list of all deliveries that ended long ago only grows.
  const hasEnded = (deliveryId: "attempts.deliveryId" | "logs.deliveryId") =>
    sql<boolean>`exists ${ledger.db
      .selectFrom("deliveries")
      .select("id")
      .where("id", "=", sql<string>`${sql.ref(deliveryId)}`)
      .where("state", "in", FINISHED)
      .where("finishedAt", "<", before)}`;
  const results = [
    await ledger.db.deleteFrom("hints").where("doneAt", "<", before).executeTakeFirst(),
    await ledger.db.deleteFrom("decisions").where("at", "<", before).executeTakeFirst(),
    await ledger.db
      .deleteFrom("attempts")
      .where("startedAt", "<", before)
      .where(hasEnded("attempts.deliveryId"))
      .executeTakeFirst(),
    await ledger.db.deleteFrom("logs").where("at", "<", before).where(hasEnded("logs.deliveryId")).executeTakeFirst(),
  ];
  return results.reduce((sum, result) => sum + Number(result.numDeletedRows), 0);
}
