import { randomInt } from "node:crypto";
import { type RawBuilder, type Selectable, sql } from "kysely";
import type { Naming } from "../delivery/naming.ts";
import type { DeliveryState, Plan, RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import { type Page, pageOf, readCursor } from "./page.ts";
import type { FailedBy, Schema } from "./schema/schema.ts";
import { fromNow, now } from "./sql.ts";

type Row = Selectable<Schema["deliveries"]>;

/** The work on one commit of one repo. Times in ms since the epoch. */
export type Delivery = Omit<Row, "plan" | "cancelRequested" | "naming" | "aheadDue" | "insisted"> & {
  plan: Plan | null;
  cancelRequested: boolean;
  isInsisted: boolean;
  naming: Naming | null;
};

/** Somebody works on it, or should. */
export const ACTIVE_STATES = ["queued", "building", "publishing"] as const satisfies DeliveryState[];
/** Nothing more happens by itself. */
export const FINISHED_STATES = [
  "delivered",
  "failed",
  "cancelled",
  "superseded",
  "ignored",
] as const satisfies DeliveryState[];
/** Off its way: where a delivery never goes whose names are being written. */
const OFF_THE_WAY = ["waiting", "cancelled", "superseded", "ignored"] as const satisfies DeliveryState[];
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
      waitingSince: fields.state === "waiting" ? at : null,
      finishedAt: isFinished(fields.state) ? at : null,
    })
    .onConflict((conflict) => conflict.columns(["repoId", "sha"]).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (inserted !== undefined) return toDelivery(inserted);
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
  revokeLease?: boolean | undefined;
  /** As read at this decision; null leaves what is known. */
  plan?: Plan | null | undefined;
  ref?: string | null | undefined;
  failedBy?: FailedBy | undefined;
  /** To be looked at in so many ms, told of or not; left out: only when somebody tells of it. */
  evaluateIn?: number | null | undefined;
  /** Whether it may be prepared while it waits. */
  mayPrepare?: boolean | undefined;
}

/**
 * Moves a delivery on. A request to stop ends with the delivery, and what it began to name with `delivered`.
 * @returns false: its state is another, the fence is stale, or its names are being written and this would take it off its way
 */
export async function setState(ledger: Db, id: string, transition: Transition): Promise<boolean> {
  const { from, to, because, fence, retryIn = null, revokeLease = false, plan, ref } = transition;
  const { failedBy, evaluateIn = null, mayPrepare = false } = transition;
  const finished = isFinished(to);
  const at = now(ledger);
  let update = ledger.db
    .updateTable("deliveries")
    .set({ state: to, because, updatedAt: at, finishedAt: finished ? at : null, retryAt: fromNow(ledger, retryIn) })
    .set({ failedBy: to === "failed" ? (failedBy ?? "attempt") : null, aheadDue: mayPrepare ? 1 : 0 })
    .set({ lookAt: fromNow(ledger, evaluateIn) })
    .where("id", "=", id)
    .where("state", "in", from);
  if (to === "waiting") update = update.set({ waitingSince: waitingSince(at) });
  if (finished) update = update.set({ cancelRequested: 0 });
  if (to === "delivered") update = update.set({ naming: null, insisted: 0 });
  if (OFF_THE_WAY.some((state) => state === to)) update = update.where("naming", "is", null);
  if (plan) update = update.set({ plan: JSON.stringify(plan) });
  if (ref) update = update.set((eb) => ({ ref: eb.fn.coalesce("ref", eb.val(ref)) }));
  if (to === "building") update = update.set((eb) => ({ startedAt: eb.fn.coalesce("startedAt", at) }));
  if (fence !== undefined) update = update.where("fence", "=", fence);
  else if (finished || revokeLease)
    update = update.set((eb) => ({ fence: eb("fence", "+", 1), leaseOwner: null, leaseUntil: null }));
  const result = await update.executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** The time of a gate runs from when a commit began to wait: neither from when it was first seen, nor anew with each look. */
function waitingSince(at: RawBuilder<number>) {
  return sql<number>`case when state = 'waiting' then coalesce(waiting_since, ${at}) else ${at} end`;
}

/** Says anew what a delivery waits for. @returns false: it does not wait */
export async function saveBecause(ledger: Db, id: string, because: string): Promise<boolean> {
  const result = await ledger.db
    .updateTable("deliveries")
    .set({ because, updatedAt: now(ledger) })
    .where("id", "=", id)
    .where("state", "=", "waiting")
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Notes the version decided at the first prepare; a later one replaces only what it is known to replace. */
export async function saveVersion(ledger: Db, id: string, version: string, before: string | null = null) {
  await ledger.db
    .updateTable("deliveries")
    .set({ version, updatedAt: now(ledger) })
    .where("id", "=", id)
    .where("version", before === null ? "is" : "=", before)
    .execute();
}

export async function getDelivery(ledger: Db, id: string): Promise<Delivery | null> {
  const row = await ledger.db.selectFrom("deliveries").selectAll().where("id", "=", id).executeTakeFirst();
  return row ? toDelivery(row) : null;
}

export async function findDelivery(ledger: Db, repoId: RepoId, sha: Sha): Promise<Delivery | null> {
  const row = await ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .executeTakeFirst();
  return row ? toDelivery(row) : null;
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
  return pageOf(await query.execute(), filter.limit, (row) => ({ at: row.createdAt, id: row.id }), toDelivery);
}

/** A repo's deliveries that have not come to an end, oldest first. */
export async function unfinishedDeliveries(ledger: Db, repoId: RepoId): Promise<Delivery[]> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("state", "in", ["waiting", ...ACTIVE_STATES])
    .orderBy("createdAt")
    .orderBy("id")
    .execute();
  return rows.map(toDelivery);
}

/** Those that wait for their CI, also beyond the gate's patience, oldest first. */
export async function waitingDeliveries(ledger: Db): Promise<Delivery[]> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .where((eb) =>
      eb.or([eb("state", "=", "waiting"), eb.and([eb("state", "=", "failed"), eb("failedBy", "=", "gate")])]),
    )
    .orderBy("createdAt")
    .orderBy("id")
    .execute();
  return rows.map(toDelivery);
}

export async function countDeliveriesByState(ledger: Db): Promise<Record<DeliveryState, number>> {
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
 * Queues a delivery that ended without a release once more, under its own id.
 * @returns `queued`, `impossible` (in its state), or `unknown`
 */
export async function retryDelivery(
  ledger: Db,
  id: string,
  because = "tried again by a person",
): Promise<"queued" | "impossible" | "unknown"> {
  const result = await ledger.db
    .updateTable("deliveries")
    .set({ state: "queued", because, finishedAt: null, failedBy: null, retryAt: null, updatedAt: now(ledger) })
    .set({ insisted: 1 })
    .where("id", "=", id)
    .where("state", "in", RETRYABLE)
    .executeTakeFirst();
  if (result.numUpdatedRows > 0n) return "queued";
  return (await getDelivery(ledger, id)) ? "impossible" : "unknown";
}

export function toDelivery({ plan, cancelRequested, naming, insisted, aheadDue: _aheadDue, ...row }: Row): Delivery {
  return {
    ...row,
    isInsisted: insisted !== 0,
    plan: plan === null ? null : (JSON.parse(plan) as Plan),
    cancelRequested: cancelRequested !== 0,
    naming: naming === null ? null : (JSON.parse(naming) as Naming),
  };
}

function isFinished(state: DeliveryState): boolean {
  return (FINISHED_STATES as readonly DeliveryState[]).includes(state);
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

/** Twelve of 36 characters: short enough to be typed, 62 bits. */
function newId(): string {
  return Array.from({ length: 12 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}
