import { type ExpressionBuilder, sql } from "kysely";
import { freshFirst } from "../delivery/fair-share.ts";
import type { Db } from "./ledger.ts";
import { type OutboxEntry, toOutboxEntry } from "./outbox.ts";
import type { Schema } from "./schema/schema.ts";
import { fromNow, now, startsWith } from "./sql.ts";

/** The lanes that have something to send now. */
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
 * The entries to send now. Those that never failed come first, the longest waiting first; one place in four is for
 * those that failed. The query selects by state and not by a position, so that it does not miss a row that commits
 * late.
 */
export async function dueOutbox(ledger: Db, limit: number, lane?: string): Promise<OutboxEntry[]> {
  const due = () => {
    const query = ledger.db
      .selectFrom("outbox")
      .selectAll()
      .where("kind", "<>", "names")
      .where(isDue(ledger))
      .limit(limit);
    return lane === undefined ? query : query.where("lane", "=", lane);
  };
  const fresh = await due().where("attempts", "=", 0).orderBy("updatedAt").orderBy("id").execute();
  const failed = await due().where("attempts", ">", 0).orderBy("retryAt").orderBy("id").execute();
  return freshFirst(fresh, failed, limit).map(toOutboxEntry);
}

/**
 * Leases the entries to send now, for `ms` by the database's clock. Until then nobody else sends them, nor a newer
 * payload of the same row: so an older payload cannot arrive after a newer one. If the sender dies, the entries become
 * due again.
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
      // The former sender may still send an older payload after us, so this one is sent once more later.
      repeats: sql<number>`case when kind = 'status' and lease_until is not null then 1 else repeats end`,
    }))
    .where("id", "in", due)
    .where(isDue(ledger))
    .returningAll()
    .execute();
  return rows.map(toOutboxEntry);
}

/**
 * Ends the lease of an entry whose result could not be recorded. There are two cases. A newer payload was queued
 * meanwhile: it is due at once. Another sender took the entry over: our older payload may have arrived after its newer
 * one, so the newest is due once more.
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

/** Ends the outbox leases of processes that are known to be dead. */
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
