import type { Selectable } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
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

/** Records what came of an order. @returns false if another process has done so */
export async function finishOrder(ledger: Db, id: number, because: string): Promise<boolean> {
  const result = await ledger.db
    .updateTable("orders")
    .set({ doneAt: now(ledger), because })
    .where("id", "=", id)
    .where("doneAt", "is", null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
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
