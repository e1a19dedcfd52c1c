import { type ExpressionBuilder, sql } from "kysely";
import { freshFirst } from "../delivery/sharing.ts";
import type { Db } from "./ledger.ts";
import { type OutboxEntry, toOutboxEntry } from "./outbox.ts";
import type { Schema } from "./schema/schema.ts";
import { fromNow, now, startsWith } from "./sql.ts";

/** Lanes in which something is to be sent now. */
export async function dueLanes(ledger: Db): Promise<string[]> {
  const rows = await ledger.db
    .selectFrom("outbox")
    .select("lane")
    .distinct()
    .where("kind", "<>", "names")
    .where(isDue(ledger))
    .execute();
  return rows.map((row) => row.lane);
}

/**
 * What is to be sent now: what never failed first, longest waiting first, and in every fourth place what failed before. Read by
 * state, so that a row committed late is not passed over.
 */
export async function dueOutbox(ledger: Db, limit: number, lane?: string): Promise<OutboxEntry[]> {
  const some = () => {
    const query = ledger.db
      .selectFrom("outbox")
      .selectAll()
      .where("kind", "<>", "names")
      .where(isDue(ledger))
      .limit(limit);
    return lane === undefined ? query : query.where("lane", "=", lane);
  };
  const fresh = await some().where("attempts", "=", 0).orderBy("updatedAt").orderBy("id").execute();
  const again = await some().where("attempts", ">", 0).orderBy("retryAt").orderBy("id").execute();
  return freshFirst(fresh, again, limit).map(toOutboxEntry);
}

/**
 * Takes what is to be sent now, for so many ms by the store's clock: until then nobody else sends it, nor what replaces it, so
 * that no word can overtake a newer one. Whoever dies with it leaves it due again.
 */
export async function claimOutbox(
  ledger: Db,
  limit: number,
  ms: number,
  { owner = null, lane }: { owner?: string | null; lane?: string } = {},
): Promise<OutboxEntry[]> {
  const due = (await dueOutbox(ledger, limit, lane)).map(({ id }) => id);
  if (due.length === 0) return [];
  const rows = await ledger.db
    .updateTable("outbox")
    .set((eb) => ({
      leaseOwner: owner,
      leaseUntil: fromNow(ledger, ms),
      fence: eb("fence", "+", 1),
      // Whoever had it may send it still, after us: it is said once more, later.
      repeats: sql<number>`case when kind = 'status' and lease_until is not null then 1 else repeats end`,
    }))
    .where("id", "in", due)
    .where(isDue(ledger))
    .returningAll()
    .execute();
  return rows.map(toOutboxEntry);
}

/**
 * Ends a sending that was neither marked as sent nor as failed: what replaced it meanwhile is due at once. Where another had
 * taken it over, ours may have arrived last: the newest word is due once more.
 */
export async function releaseOutboxLease(ledger: Db, { id, fence, kind }: OutboxEntry): Promise<void> {
  const ours = await ledger.db
    .updateTable("outbox")
    .set({ leaseOwner: null, leaseUntil: null, retryAt: null })
    .where("id", "=", id)
    .where("fence", "=", fence)
    .executeTakeFirst();
  if (ours.numUpdatedRows > 0n || kind !== "status") return;
  await ledger.db
    .updateTable("outbox")
    .set({
      state: "unsent",
      repeats: sql<number>`case when lease_until is null then 0 else 1 end`,
      retryAt: null,
    })
    .where("id", "=", id)
    .execute();
}

/** Frees what processes that are known to be dead were sending. */
export async function releaseOutboxLeasesOf(ledger: Db, ownerPrefix: string): Promise<void> {
  await ledger.db
    .updateTable("outbox")
    .set({ leaseUntil: now(ledger) })
    .where("state", "=", sql.lit("unsent"))
    .where((eb) => startsWith(eb, "leaseOwner", ownerPrefix))
    .execute();
}

function isDue(ledger: Db) {
  return (eb: ExpressionBuilder<Schema, "outbox">) =>
    eb.and([
      eb("state", "=", sql.lit("unsent")),
      eb.or([eb("retryAt", "is", null), eb("retryAt", "<=", now(ledger))]),
      eb.or([eb("leaseUntil", "is", null), eb("leaseUntil", "<=", now(ledger))]),
    ]);
}
