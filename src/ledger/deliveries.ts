import { randomInt } from "node:crypto";
import { type RawBuilder, type Selectable, sql } from "kysely";
import { deliveryIdOf } from "../delivery/delivery-id.ts";
import { ACTIVE_STATES, DELIVERY_STATES, isFinished } from "../delivery/delivery-states.ts";
import type { Naming } from "../delivery/naming.ts";
import type { DeliveryState, Plan, RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import { type Page, pageOf, readCursor } from "./page.ts";
import type { FailedBy, Schema } from "./schema/schema.ts";
import { fromNow, now } from "./sql.ts";

export { ACTIVE_STATES, DELIVERY_STATES, FINISHED_STATES, OPEN_STATES } from "../delivery/delivery-states.ts";

type Row = Selectable<Schema["deliveries"]>;

/** The work on one commit of one repo. Times in ms since the epoch. */
export type Delivery = Omit<Row, "plan" | "cancelRequested" | "naming" | "aheadDue" | "insisted"> & {
  plan: Plan | null;
  cancelRequested: boolean;
  isInsisted: boolean;
  naming: Naming | null;
};

/** A delivery that is past the point of no return (`naming` is set) never enters these states. */
const FORBIDDEN_WHILE_NAMING = ["waiting", "cancelled", "superseded", "ignored"] as const satisfies DeliveryState[];
const RETRYABLE = ["failed", "cancelled", "superseded"] as const satisfies DeliveryState[];

export interface NewDelivery {
  /** Left out: `deliveryIdOf` the repo and the commit. */
  id?: string;
  ref: string | null;
  state: DeliveryState;
  because: string;
  message: string;
  author: string;
  committedAt: number | null;
}

/** The commit's delivery. Inserts it with these fields if the commit has none. */
export async function ensureDelivery(ledger: Db, repoId: RepoId, sha: Sha, fields: NewDelivery): Promise<Delivery> {
  // Whoever searches for long enough finds two commits with one id. The second one gets another.
  for (const id of [fields.id ?? deliveryIdOf(repoId, sha), randomId()]) {
    const inserted = await insertDelivery(ledger, id, repoId, sha, fields);
    if (inserted !== undefined) {
      if (isFinished(inserted.state)) ledger.emit({ kind: "delivery-ended", outcome: inserted.state });
      return toDelivery(inserted);
    }
    const delivery = await findDelivery(ledger, repoId, sha);
    if (delivery !== null) return delivery;
  }
  throw new Error(`the delivery of ${repoId}@${sha} was there and is gone`);
}

function insertDelivery(
  ledger: Db,
  id: string,
  repoId: RepoId,
  sha: Sha,
  fields: NewDelivery,
): Promise<Row | undefined> {
  const at = now(ledger);
  return ledger.db
    .insertInto("deliveries")
    .values({
      ...fields,
      id,
      repoId,
      sha,
      createdAt: at,
      updatedAt: at,
      waitingSince: fields.state === "waiting" ? at : null,
      finishedAt: isFinished(fields.state) ? at : null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
}

export interface Transition {
  /** The delivery must be in one of these states. */
  from: readonly DeliveryState[];
  to: DeliveryState;
  because: string;
  /** The caller's lease. Without one, a transition to a finished state ends another worker's lease. */
  fence?: number | undefined;
  /** ms from now, before which nobody may claim the delivery. */
  retryIn?: number | null | undefined;
  /** Ends the lease of a worker that prepares the delivery while CI runs. */
  revokeLease?: boolean | undefined;
  /** The plan that this decision read; null keeps the stored one. */
  plan?: Plan | null | undefined;
  ref?: string | null | undefined;
  failedBy?: FailedBy | undefined;
  /** ms from now, after which the commit is evaluated even without a hint. If left out, only a hint causes it. */
  evaluateIn?: number | null | undefined;
  /** Whether a worker may prepare the delivery while its CI runs. */
  mayPrepare?: boolean | undefined;
}

/**
 * Changes the state of a delivery. A finished state clears a request to cancel; `delivered` also clears `naming`.
 * @returns false if the delivery is in another state, if the fence is stale, or if its names are being written and the
 * new state is one of FORBIDDEN_WHILE_NAMING
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
  if (FORBIDDEN_WHILE_NAMING.some((state) => state === to)) update = update.where("naming", "is", null);
  if (plan) update = update.set({ plan: JSON.stringify(plan) });
  if (ref) update = update.set((eb) => ({ ref: eb.fn.coalesce("ref", eb.val(ref)) }));
  if (to === "building") update = update.set((eb) => ({ startedAt: eb.fn.coalesce("startedAt", at) }));
  if (fence !== undefined) update = update.where("fence", "=", fence);
  else if (finished || revokeLease)
    update = update.set((eb) => ({ fence: eb("fence", "+", 1), leaseOwner: null, leaseUntil: null }));
  const result = await update.executeTakeFirst();
  const moved = result.numUpdatedRows > 0n;
  // A later evaluation may write a new reason into the same state.
  if (moved && finished && !from.includes(to)) ledger.emit({ kind: "delivery-ended", outcome: to });
  return moved;
}

/** The gate's time-out counts from the moment the commit began to wait. Later evaluations do not restart it. */
function waitingSince(at: RawBuilder<number>) {
  return sql<number>`case when state = 'waiting' then coalesce(waiting_since, ${at}) else ${at} end`;
}

/** Saves why a delivery waits. @returns false if it does not wait */
export async function saveBecause(ledger: Db, id: string, because: string): Promise<boolean> {
  const result = await ledger.db
    .updateTable("deliveries")
    .set({ because, updatedAt: now(ledger) })
    .where("id", "=", id)
    .where("state", "=", "waiting")
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Saves the delivery's version. Does nothing unless the stored version is `before` (null: none is stored). */
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

/** One page of the deliveries that match a filter, newest first. */
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

/** A repo's deliveries that are not finished, oldest first. */
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

/** Deliveries whose commit waits for CI, oldest first; also those that failed because the gate timed out. */
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

/** How many deliveries are in each of these states. It reads an index, so the cost grows with their number only. */
export async function countDeliveriesByState<State extends DeliveryState>(
  ledger: Db,
  states: readonly State[] = DELIVERY_STATES as State[],
): Promise<Record<State, number>> {
  const counts = Object.fromEntries(states.map((state) => [state, 0])) as Record<DeliveryState, number>;
  const rows = await deliveriesByState(ledger, states).execute();
  for (const row of rows) counts[row.state] = row.count;
  return counts;
}

/** The query of countDeliveriesByState. */
export function deliveriesByState(ledger: Db, states: readonly DeliveryState[]) {
  return ledger.db
    .selectFrom("deliveries")
    .select((eb) => ["state", eb.fn.countAll<number>().as("count")])
    .where("state", "in", states)
    .groupBy("state");
}

/**
 * Queues a failed, cancelled or superseded delivery again, under the same id.
 * @returns `impossible` if its state does not allow that, `unknown` if there is no such delivery
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

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

function randomId(): string {
  return Array.from({ length: 12 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}
