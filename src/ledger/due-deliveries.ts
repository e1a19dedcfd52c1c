import { ACTIVE_STATES, type Delivery, toDelivery } from "./deliveries.ts";
import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/**
 * Deliveries that are to be looked at by now though nobody tells of them, the one that was due first in front. Those whose
 * look came to no answer are left out until it is time for the next try.
 */
export async function dueEvaluations(ledger: Db, limit: number): Promise<Delivery[]> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .where("lookAt", "<=", now(ledger))
    .where("state", "not in", ACTIVE_STATES)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom("looks")
            .select("looks.sha")
            .whereRef("looks.repoId", "=", "deliveries.repoId")
            .whereRef("looks.sha", "=", "deliveries.sha")
            .where("looks.retryAt", ">", now(ledger)),
        ),
      ),
    )
    .orderBy("lookAt")
    .limit(limit)
    .execute();
  return rows.map(toDelivery);
}

/** Such a look was taken. @param lookAt as it was when the look began: what fell due since stays */
export async function clearDueEvaluation(ledger: Db, { id, lookAt }: Pick<Delivery, "id" | "lookAt">): Promise<void> {
  if (lookAt === null) return;
  await ledger.db
    .updateTable("deliveries")
    .set({ lookAt: null })
    .where("id", "=", id)
    .where("lookAt", "=", lookAt)
    .execute();
}

/** Deliveries that may be prepared while their CI runs, and that nobody prepares, oldest first. */
export async function duePreparations(ledger: Db, limit: number): Promise<string[]> {
  const at = now(ledger);
  const rows = await ledger.db
    .selectFrom("deliveries")
    .select("id")
    .where("aheadDue", "=", 1)
    .where("state", "=", "waiting")
    .where((eb) => eb.or([eb("leaseUntil", "is", null), eb("leaseUntil", "<=", at)]))
    .orderBy("createdAt")
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** Preparing ahead was tried, whatever came of it. */
export async function clearDuePreparation(ledger: Db, id: string): Promise<void> {
  await ledger.db.updateTable("deliveries").set({ aheadDue: 0 }).where("id", "=", id).execute();
}
