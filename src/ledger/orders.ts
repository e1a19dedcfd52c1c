import type { Selectable } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import { type SeenRepo, saveRepos } from "./repos.ts";
import type { Schema } from "./schema/schema.ts";
import { fromNow, now } from "./sql.ts";

export interface NewOrder {
  repo: SeenRepo;
  sha: Sha;
  action: "retry" | "cancel";
  person: string;
  event: string;
  /** The host's id of the request. */
  deliveryId: string;
}

export type StoredOrder = Selectable<Schema["orders"]>;

/** Orders that one call gives: people press few buttons. */
const AT_ONCE = 50;

/** Inserts orders of people and the repos that they name, in one transaction. The same request again adds nothing. */
export function addOrders(ledger: Db, orders: readonly NewOrder[]): Promise<void> {
  return ledger.transaction(async (tx) => {
    await saveRepos(
      tx,
      orders.map(({ repo }) => repo),
    );
    for (const { repo, sha, action, person, event, deliveryId } of orders)
      await tx.db
        .insertInto("orders")
        .values({ repoId: repo.id, sha, action, person, event, deliveryId, receivedAt: now(tx) })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
  });
}

/** The orders to carry out now, the oldest first. */
export function dueOrders(ledger: Db): Promise<StoredOrder[]> {
  return ledger.db
    .selectFrom("orders")
    .selectAll()
    .where("doneAt", "is", null)
    .where((eb) => eb.or([eb("retryAt", "is", null), eb("retryAt", "<=", now(ledger))]))
    .orderBy("receivedAt")
    .orderBy("id")
    .limit(AT_ONCE)
    .execute();
}

/**
 * Ends an order, and does its work in the same transaction. Another process waits here for the end of that transaction,
 * and then does nothing: otherwise a delivery that ended in between would be retried twice.
 * @returns what came of it, as `work` says; null if another process has ended it
 */
export function finishOrder(ledger: Db, id: number, work: (tx: Tx) => Promise<string>): Promise<string | null> {
  return ledger.transaction(async (tx) => {
    const open = tx.db.updateTable("orders").where("id", "=", id).where("doneAt", "is", null);
    const { numUpdatedRows } = await open.set({ doneAt: now(tx) }).executeTakeFirst();
    if (numUpdatedRows === 0n) return null;
    const because = await work(tx);
    await tx.db.updateTable("orders").where("id", "=", id).set({ because }).execute();
    return because;
  });
}

/** Records that the host did not say whether the person may write. @param retryIn ms until the next try */
export async function postponeOrder(ledger: Db, id: number, because: string, retryIn: number): Promise<void> {
  await ledger.db
    .updateTable("orders")
    .set((eb) => ({ attempts: eb("attempts", "+", 1), retryAt: fromNow(ledger, retryIn), because }))
    .where("id", "=", id)
    .where("doneAt", "is", null)
    .execute();
}

/** Every order about a commit, the oldest first. */
export function ordersOf(ledger: Db, repoId: RepoId, sha: Sha): Promise<StoredOrder[]> {
  return ledger.db
    .selectFrom("orders")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .orderBy("id")
    .execute();
}
