import { randomInt } from "node:crypto";
import { type Selectable, sql } from "kysely";
import type { DeliveryState, Plan, RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema.ts";
import { chunks, fromNow, now, type Page, pageOf, readCursor } from "./sql.ts";

type Row = Selectable<Schema["deliveries"]>;

/** The work on one commit of one repo. Times in ms since the epoch. */
export type Delivery = Omit<Row, "plan" | "cancelRequested"> & { plan: Plan | null; cancelRequested: boolean };

/** Somebody works on it, or should. */
export const ACTIVE = ["queued", "building", "publishing"] as const satisfies DeliveryState[];
/** Nothing more happens by itself. */
export const FINISHED = [
  "delivered",
  "failed",
  "cancelled",
  "superseded",
  "ignored",
] as const satisfies DeliveryState[];
/** How a delivery that was asked to stop is to end, as `cancelRequested` holds it; 0: it was not asked. */
const END_CODES = { cancelled: 1, superseded: 2 } as const;
const BY_A_PERSON = "cancelled by a person";
const BY_A_NEWER = "superseded by a newer commit of its branch";
const RETRYABLE = ["failed", "cancelled", "superseded"] as const satisfies DeliveryState[];

export interface NewDelivery {
  ref: string | null;
  state: DeliveryState;
  because: string;
  message: string;
  author: string;
  committedAt: number | null;
}

/** The commit's delivery, made now where there is none. */
export async function ensureDelivery(ledger: Db, repoId: RepoId, sha: Sha, fields: NewDelivery): Promise<Delivery> {
  const at = now(ledger);
  const inserted = await ledger.db
    .insertInto("deliveries")
    .values({
      ...fields,
      id: newId(),
      repoId,
      sha,
      createdAt: at,
      updatedAt: at,
      finishedAt: isFinished(fields.state) ? at : null,
    })
    .onConflict((conflict) => conflict.columns(["repoId", "sha"]).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (inserted !== undefined) return fromRow(inserted);
  const delivery = await findDelivery(ledger, repoId, sha);
  if (delivery === null) throw new Error(`the delivery of ${repoId}@${sha} was there and is gone`);
  return delivery;
}

export interface Transition {
  /** Only from these states. */
  from: readonly DeliveryState[];
  to: DeliveryState;
  because: string;
  /** The lease under which this is done. Without one, a finish takes the delivery from whoever works on it. */
  fence?: number | undefined;
  /** Not to be claimed before so many ms from now. */
  retryIn?: number | null | undefined;
  /** Takes the delivery from whoever prepares it ahead. */
  takeBack?: boolean | undefined;
  /** As read at this decision; null leaves what is known. */
  plan?: Plan | null | undefined;
  ref?: string | null | undefined;
}

/** Moves a delivery on. @returns false: its state is another, or the fence is stale */
export async function setState(ledger: Db, id: string, transition: Transition): Promise<boolean> {
  const { from, to, because, fence, retryIn = null, takeBack = false, plan, ref } = transition;
  const finished = isFinished(to);
  const at = now(ledger);
  let update = ledger.db
    .updateTable("deliveries")
    .set({ state: to, because, updatedAt: at, finishedAt: finished ? at : null, retryAt: fromNow(ledger, retryIn) })
    .where("id", "=", id)
    .where("state", "in", from);
  if (plan) update = update.set({ plan: JSON.stringify(plan) });
  if (ref) update = update.set((eb) => ({ ref: eb.fn.coalesce("ref", eb.val(ref)) }));
  if (to === "building") update = update.set((eb) => ({ startedAt: eb.fn.coalesce("startedAt", at) }));
  if (fence !== undefined) update = update.where("fence", "=", fence);
  else if (finished || takeBack)
    update = update.set((eb) => ({ fence: eb("fence", "+", 1), leaseOwner: null, leaseUntil: null }));
  const result = await update.executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Notes the version decided at the first prepare; a later one does not replace it. */
export async function noteVersion(ledger: Db, id: string, version: string): Promise<void> {
  await ledger.db
    .updateTable("deliveries")
    .set({ version, updatedAt: now(ledger) })
    .where("id", "=", id)
    .where("version", "is", null)
    .execute();
}

export async function getDelivery(ledger: Db, id: string): Promise<Delivery | null> {
  const row = await ledger.db.selectFrom("deliveries").selectAll().where("id", "=", id).executeTakeFirst();
  return row ? fromRow(row) : null;
}

/** Those of the ids that there are. */
export async function getDeliveries(ledger: Db, ids: readonly string[]): Promise<Delivery[]> {
  const found: Delivery[] = [];
  for (const some of chunks(ids))
    found.push(
      ...(await ledger.db.selectFrom("deliveries").selectAll().where("id", "in", some).execute()).map(fromRow),
    );
  return found;
}

export async function findDelivery(ledger: Db, repoId: RepoId, sha: Sha): Promise<Delivery | null> {
  const row = await ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .executeTakeFirst();
  return row ? fromRow(row) : null;
}

export interface DeliveryFilter {
  repoId?: RepoId | undefined;
  sha?: Sha | undefined;
  state?: DeliveryState | undefined;
  cursor?: string | null | undefined;
  limit: number;
}

/** Newest first. */
export async function listDeliveries(ledger: Db, filter: DeliveryFilter): Promise<Page<Delivery>> {
  let query = ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .orderBy("createdAt", "desc")
    .orderBy("id", "desc")
    .limit(filter.limit + 1);
  if (filter.repoId !== undefined) query = query.where("repoId", "=", filter.repoId);
  if (filter.sha !== undefined) query = query.where("sha", "=", filter.sha);
  if (filter.state !== undefined) query = query.where("state", "=", filter.state);
  const after = readCursor(filter.cursor);
  if (after) query = query.where((eb) => eb(eb.refTuple("createdAt", "id"), "<", eb.tuple(after.at, after.id)));
  return pageOf(await query.execute(), filter.limit, (row) => ({ at: row.createdAt, id: row.id }), fromRow);
}

/** A repo's deliveries that have not come to an end, oldest first. */
export async function listUnfinished(ledger: Db, repoId: RepoId): Promise<Delivery[]> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("state", "in", ["waiting", ...ACTIVE])
    .orderBy("createdAt")
    .orderBy("id")
    .execute();
  return rows.map(fromRow);
}

/** Those that wait for their CI, oldest first. */
export async function waitingDeliveries(ledger: Db): Promise<Delivery[]> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .where("state", "=", "waiting")
    .orderBy("createdAt")
    .orderBy("id")
    .execute();
  return rows.map(fromRow);
}

export async function countByState(ledger: Db): Promise<Record<DeliveryState, number>> {
  const counts = {
    waiting: 0,
    queued: 0,
    building: 0,
    publishing: 0,
    delivered: 0,
    failed: 0,
    cancelled: 0,
    superseded: 0,
    ignored: 0,
  };
  const rows = await ledger.db
    .selectFrom("deliveries")
    .select((eb) => ["state", eb.fn.countAll<number>().as("count")])
    .groupBy("state")
    .execute();
  for (const row of rows) counts[row.state] = row.count;
  return counts;
}

/**
 * Ends a delivery that nobody works on; asks whoever works on it to stop.
 * @param as how it ends: a person cancelled it, or a newer commit superseded it
 * @returns `ended`: it has · `requested`: its worker will end it · `too-late`: it had ended before · `unknown`: no such delivery
 */
export async function requestCancel(
  ledger: Db,
  id: string,
  because = BY_A_PERSON,
  as: keyof typeof END_CODES = "cancelled",
): Promise<"ended" | "requested" | "too-late" | "unknown"> {
  // Whoever prepares a waiting one ahead loses it: nothing of that has a name.
  const free = sql<boolean>`(state = 'waiting' or coalesce(lease_until, 0) <= ${now(ledger)})`;
  // One statement, so that a lease taken or given back meanwhile leaves no third way.
  const row = await ledger.db
    .updateTable("deliveries")
    .set({
      cancelRequested: END_CODES[as],
      state: sql`case when ${free} then ${as} else state end`,
      because: sql`case when ${free} then ${because} else because end`,
      finishedAt: sql`case when ${free} then ${now(ledger)} else finished_at end`,
      fence: sql`case when ${free} then fence + 1 else fence end`,
      leaseOwner: sql`case when ${free} then null else lease_owner end`,
      leaseUntil: sql`case when ${free} then null else lease_until end`,
      updatedAt: now(ledger),
    })
    .where("id", "=", id)
    .where("state", "in", ["waiting", ...ACTIVE])
    .returning("state")
    .executeTakeFirst();
  if (row) return row.state === as ? "ended" : "requested";
  return (await getDelivery(ledger, id)) ? "too-late" : "unknown";
}

/** Ends what was asked to stop while its worker died. @returns them */
export async function settleCancelled(ledger: Db): Promise<Delivery[]> {
  const at = now(ledger);
  const rows = await ledger.db
    .updateTable("deliveries")
    .set((eb) => ({
      state: sql`case when cancel_requested = ${sql.lit(END_CODES.superseded)} then 'superseded' else 'cancelled' end`,
      because: sql`case when cancel_requested = ${sql.lit(END_CODES.superseded)} then ${BY_A_NEWER} else ${BY_A_PERSON} end`,
      finishedAt: at,
      updatedAt: at,
      fence: eb("fence", "+", 1),
      leaseOwner: null,
      leaseUntil: null,
    }))
    .where("cancelRequested", "<>", 0)
    .where("state", "in", ["waiting", ...ACTIVE])
    .where((eb) => eb.or([eb("leaseUntil", "is", null), eb("leaseUntil", "<=", at)]))
    .returningAll()
    .execute();
  return rows.map(fromRow);
}

/**
 * Queues a delivery that ended without a release once more, under its own id.
 * @returns `queued`, `impossible` (in its state), or `unknown`
 */
export async function retry(
  ledger: Db,
  id: string,
  because = "tried again by a person",
): Promise<"queued" | "impossible" | "unknown"> {
  const result = await ledger.db
    .updateTable("deliveries")
    .set({ state: "queued", because, cancelRequested: 0, finishedAt: null, retryAt: null, updatedAt: now(ledger) })
    .where("id", "=", id)
    .where("state", "in", RETRYABLE)
    .executeTakeFirst();
  if (result.numUpdatedRows > 0n) return "queued";
  return (await getDelivery(ledger, id)) ? "impossible" : "unknown";
}

export function fromRow({ plan, cancelRequested, ...row }: Row): Delivery {
  return { ...row, plan: plan === null ? null : (JSON.parse(plan) as Plan), cancelRequested: cancelRequested !== 0 };
}

/** How a delivery that was asked to stop is to end; null: it was not asked. */
export function endOf(cancelRequested: number): keyof typeof END_CODES | null {
  if (cancelRequested === END_CODES.superseded) return "superseded";
  return cancelRequested === END_CODES.cancelled ? "cancelled" : null;
}

function isFinished(state: DeliveryState): boolean {
  return (FINISHED as readonly DeliveryState[]).includes(state);
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

/** Twelve of 36 characters: short enough to be typed, 62 bits. */
function newId(): string {
  return Array.from({ length: 12 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}
