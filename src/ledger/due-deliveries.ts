import { ACTIVE_STATES, type Delivery, toDelivery } from "./deliveries.ts";
import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/**
 * Deliveries whose commit must be evaluated now although no hint asks for it (`lookAt` has passed), the longest due
 * first. Those whose last evaluation failed are left out until their `retryAt`.
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

/** Clears `lookAt` after an evaluation, unless it has changed since the evaluation read it. */
export async function clearDueEvaluation(ledger: Db, { id, lookAt }: Pick<Delivery, "id" | "lookAt">): Promise<void> {
  if (lookAt === null) return;
  await ledger.db
    .updateTable("deliveries")
    .set({ lookAt: null })
    .where("id", "=", id)
    .where("lookAt", "=", lookAt)
    .execute();
}

/** The ids of deliveries that may be prepared while CI runs and that no worker prepares, oldest first. */
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

/** Records that preparing the delivery while CI runs was tried, with or without success. */
export async function clearDuePreparation(ledger: Db, id: string): Promise<void> {
  await ledger.db.updateTable("deliveries").set({ aheadDue: 0 }).where("id", "=", id).execute();
}
