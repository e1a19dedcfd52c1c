import { sql } from "kysely";
import { ACTIVE_STATES, type Delivery, getDelivery, toDelivery } from "./deliveries.ts";
import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/** How a delivery that was asked to stop is to end, as `cancelRequested` holds it; 0: it was not asked. */
const END_CODES = { cancelled: 1, superseded: 2 } as const;
export type EndAs = keyof typeof END_CODES;
const BY_A_PERSON = "cancelled by a person";
const BY_A_NEWER = "superseded by a newer commit of its branch";

/**
 * `ended`: it has · `requested`: its worker will end it · `naming`: its names are being written, and it is finished ·
 * `too-late`: it had ended before · `unknown`: no such delivery
 */
export type Cancelling = "ended" | "requested" | "naming" | "too-late" | "unknown";

/**
 * Ends a delivery that nobody works on; asks whoever works on it to stop. A request is made to the attempt under way and
 * ends with the delivery's end: no later claim, as for a version tag that comes or a retry, finds it.
 * @param as how it ends: a person cancelled it, or a newer commit superseded it
 */
export async function requestCancel(
  ledger: Db,
  id: string,
  because = BY_A_PERSON,
  as: EndAs = "cancelled",
): Promise<Cancelling> {
  // Whoever prepares a waiting one ahead loses it: nothing of that has a name.
  const free = sql<boolean>`(naming is null and (state = 'waiting' or coalesce(lease_until, 0) <= ${now(ledger)}))`;
  // One statement, so that a lease taken or given back meanwhile, or a first name, leaves no third way.
  const row = await ledger.db
    .updateTable("deliveries")
    .set({
      cancelRequested: sql`case when ${free} then 0 when naming is null or ${as} = 'cancelled' then ${sql.lit(END_CODES[as])} else cancel_requested end`,
      state: sql`case when ${free} then ${as} else state end`,
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
  if (row?.state === as) return "ended";
  if (row) return row.naming === null ? "requested" : "naming";
  return (await getDelivery(ledger, id)) ? "too-late" : "unknown";
}

/** Ends what was asked to stop while its worker died. @returns them */
export async function settleCancelled(ledger: Db): Promise<Delivery[]> {
  const at = now(ledger);
  const bySuperseding = sql`cancel_requested = ${sql.lit(END_CODES.superseded)}`;
  const rows = await ledger.db
    .updateTable("deliveries")
    .set((eb) => ({
      cancelRequested: 0,
      state: sql`case when ${bySuperseding} then 'superseded' else 'cancelled' end`,
      because: sql`case when ${bySuperseding} then ${BY_A_NEWER} else ${BY_A_PERSON} end`,
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
  return rows.map(toDelivery);
}

/** How an attempt that was asked to stop is to end; null: it was not asked, or its names are being written. */
export function endOf({ cancelRequested, naming }: { cancelRequested: number; naming: string | null }): EndAs | null {
  if (naming !== null) return null;
  if (cancelRequested === END_CODES.superseded) return "superseded";
  return cancelRequested === END_CODES.cancelled ? "cancelled" : null;
}

/** How the attempt under this fence was asked to end; null: it was not, or the lease is another's. */
export async function stopOf(ledger: Db, id: string, fence: number): Promise<EndAs | null> {
  const row = await ledger.db
    .selectFrom("deliveries")
    .select(["cancelRequested", "naming"])
    .where("id", "=", id)
    .where("fence", "=", fence)
    .executeTakeFirst();
  return row === undefined ? null : endOf(row);
}
