import { sql } from "kysely";
import { ACTIVE_STATES, type Delivery, getDelivery, toDelivery } from "./deliveries.ts";
import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/** The values of the column `cancelRequested`. 0: nobody asked the delivery to stop. */
const END_CODES = { cancelled: 1, superseded: 2 } as const;

/** The state in which a delivery ends that was asked to stop. */
export type RequestedEnd = keyof typeof END_CODES;

/** What people read about a delivery that ended so. */
export const END_REASONS: Record<RequestedEnd, string> = {
  cancelled: "cancelled by a person",
  superseded: "superseded by a newer commit of its branch",
};

/**
 * `ended`: the delivery has ended now · `requested`: its worker will end it · `naming`: its names are being written, so it
 * will be finished · `too-late`: it had ended before · `unknown`: there is no such delivery
 */
export type CancelOutcome = "ended" | "requested" | "naming" | "too-late" | "unknown";

/**
 * Ends a delivery that no worker holds. If a worker holds it, asks that worker to stop. The request ends with the
 * delivery: a later claim, for a new version tag or a retry, does not find it.
 */
export async function requestCancel(
  ledger: Db,
  id: string,
  because = END_REASONS.cancelled,
  end: RequestedEnd = "cancelled",
): Promise<CancelOutcome> {
  // A worker that prepares a waiting delivery loses it: nothing that it made has a name yet.
  const free = sql<boolean>`(naming is null and (state = 'waiting' or coalesce(lease_until, 0) <= ${now(ledger)}))`;
  // One statement: a lease may be taken or released at the same time, or the first name may be written.
  const row = await ledger.db
    .updateTable("deliveries")
    .set({
      cancelRequested: sql`case when ${free} then 0 when naming is null or ${end} = 'cancelled'
        then ${sql.lit(END_CODES[end])} else cancel_requested end`,
      state: sql`case when ${free} then ${end} else state end`,
      because: sql`case when ${free} then ${because} else because end`,
      finishedAt: sql`case when ${free} then ${now(ledger)} else finished_at end`,
      fence: sql`case when ${free} then fence + 1 else fence end`,
      leaseOwner: sql`case when ${free} then null else lease_owner end`,
      leaseUntil: sql`case when ${free} then null else lease_until end`,
      aheadDue: 0,
      updatedAt: now(ledger),
    })
    .where("id", "=", id)
    .where("state", "in", ["waiting", ...ACTIVE_STATES])
    .returning(["state", "naming"])
    .executeTakeFirst();
  if (row?.state === end) {
    ledger.emit({ kind: "delivery-ended", outcome: end });
    return "ended";
  }
  if (row) return row.naming === null ? "requested" : "naming";
  return (await getDelivery(ledger, id)) ? "too-late" : "unknown";
}

/** Ends the deliveries that were asked to stop and whose worker died before it did. @returns them */
export async function settleCancelled(ledger: Db): Promise<Delivery[]> {
  const at = now(ledger);
  const bySuperseding = sql`cancel_requested = ${sql.lit(END_CODES.superseded)}`;
  const rows = await ledger.db
    .updateTable("deliveries")
    .set((eb) => ({
      cancelRequested: 0,
      state: sql`case when ${bySuperseding} then 'superseded' else 'cancelled' end`,
      because: sql`case when ${bySuperseding} then ${END_REASONS.superseded} else ${END_REASONS.cancelled} end`,
      finishedAt: at,
      updatedAt: at,
      fence: eb("fence", "+", 1),
      leaseOwner: null,
      leaseUntil: null,
    }))
    .where("cancelRequested", "<>", 0)
    .where("naming", "is", null)
    .where("state", "in", ["waiting", ...ACTIVE_STATES])
    .where((eb) => eb.or([eb("leaseUntil", "is", null), eb("leaseUntil", "<=", at)]))
    .returningAll()
    .execute();
  for (const { state } of rows) ledger.emit({ kind: "delivery-ended", outcome: state });
  return rows.map(toDelivery);
}

/** How a delivery must end. Null: nobody asked it to stop, or its names are being written, so it will be finished. */
export function requestedEndOf(row: { cancelRequested: number; naming: string | null }): RequestedEnd | null {
  const { cancelRequested, naming } = row;
  if (naming !== null) return null;
  if (cancelRequested === END_CODES.superseded) return "superseded";
  return cancelRequested === END_CODES.cancelled ? "cancelled" : null;
}

/** The same for the delivery's attempt under this fence. Null also if another worker has the lease. */
export async function findRequestedEnd(ledger: Db, id: string, fence: number): Promise<RequestedEnd | null> {
  const row = await ledger.db
    .selectFrom("deliveries")
    .select(["cancelRequested", "naming"])
    .where("id", "=", id)
    .where("fence", "=", fence)
    .executeTakeFirst();
  return row === undefined ? null : requestedEndOf(row);
}
