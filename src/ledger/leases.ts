import { type Selectable, sql } from "kysely";
import { chooseNext, type RepoLoad } from "../delivery/choose-next.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import { type RequestedEnd, requestedEndOf } from "./cancel.ts";
import { ACTIVE_STATES, type Delivery, toDelivery } from "./deliveries.ts";
import type { Db, Tx } from "./ledger.ts";
import type { AttemptOutcome, Schema } from "./schema/schema.ts";
import { fromNow, now, startsWith } from "./sql.ts";

export type Attempt = Selectable<Schema["attempts"]> & {
  /** From 1, as logs and people count. Fences may leave out numbers. */
  number: number;
};

export interface Claim {
  /** Higher than the fence of every earlier claim. */
  fence: number;
  /** The number of this attempt, from 1. */
  attempt: number;
}

/**
 * Takes the lease of a delivery that is due. If several processes try, one gets it.
 * @param ttl ms by the database's clock, after which another process may take it
 * @returns null if another process holds the lease, or if the delivery is not due
 */
export function claimDelivery(ledger: Db, id: string, owner: string, ttl: number): Promise<Claim | null> {
  return takeLease(ledger, id, owner, ttl, { condition: isDue, serves: true });
}

/** The same for a delivery that waits for CI, in order to prepare it meanwhile. Its repo keeps its turn. */
export function claimToPrepare(ledger: Db, id: string, owner: string, ttl: number): Promise<Claim | null> {
  return takeLease(ledger, id, owner, ttl, { condition: isPreparable, serves: false });
}

function takeLease(
  ledger: Db,
  id: string,
  owner: string,
  ttl: number,
  { condition, serves }: { condition: typeof isDue; serves: boolean },
): Promise<Claim | null> {
  return ledger.transaction(async (tx) => {
    const row = await tx.db
      .updateTable("deliveries")
      .set((eb) => ({
        fence: eb("fence", "+", 1),
        attempts: eb("attempts", "+", 1),
        leaseOwner: owner,
        leaseUntil: fromNow(tx, ttl),
        retryAt: null,
        updatedAt: now(tx),
      }))
      .where("id", "=", id)
      .where(condition(tx))
      .returning(["repoId", "fence", "attempts"])
      .executeTakeFirst();
    if (row === undefined) return null;
    await endOpenAttempts(tx, [id]);
    if (serves)
      await tx.db
        .updateTable("repos")
        .set({ servedAt: now(tx) })
        .where("id", "=", row.repoId)
        .execute();
    const attempt = { deliveryId: id, fence: row.fence, owner, startedAt: now(tx) };
    await tx.db.insertInto("attempts").values(attempt).execute();
    return { fence: row.fence, attempt: row.attempts };
  });
}

/**
 * `held`: the lease is extended · `stop`: it is extended, but the attempt was asked to stop, and must end as `end` says ·
 * `lost`: another worker took the lease, or somebody else ended the delivery
 */
export type Renewal = { kind: "held" } | { kind: "stop"; end: RequestedEnd } | { kind: "lost" };

/** Extends the lease to `ttl` ms from now, if the attempt under this fence still holds it. */
export async function renewLease(ledger: Db, id: string, fence: number, ttl: number): Promise<Renewal> {
  const row = await ledger.db
    .updateTable("deliveries")
    .set({ leaseUntil: fromNow(ledger, ttl) })
    .where("id", "=", id)
    .where("fence", "=", fence)
    .where("leaseOwner", "is not", null)
    .returning(["cancelRequested", "naming"])
    .executeTakeFirst();
  if (row === undefined) return { kind: "lost" };
  const end = requestedEndOf(row);
  return end === null ? { kind: "held" } : { kind: "stop", end };
}

export interface AttemptEnd {
  outcome: AttemptOutcome;
  errorCode?: string | null;
  message?: string | null;
  /** ms from now, before which nobody may claim the delivery. */
  retryIn?: number | null;
}

/** Records the end of an attempt and releases its lease. @returns whether the lease was still held */
export function finishAttempt(ledger: Db, id: string, fence: number, end: AttemptEnd): Promise<boolean> {
  const { outcome, errorCode = null, message = null, retryIn = null } = end;
  return ledger.transaction(async (tx) => {
    const freed = await tx.db
      .updateTable("deliveries")
      .set({ leaseOwner: null, leaseUntil: null, retryAt: fromNow(tx, retryIn), updatedAt: now(tx) })
      .where("id", "=", id)
      .where("fence", "=", fence)
      .executeTakeFirst();
    await tx.db
      .updateTable("attempts")
      .set({ endedAt: now(tx), outcome, errorCode, message })
      .where("deliveryId", "=", id)
      .where("fence", "=", fence)
      .execute();
    return freed.numUpdatedRows > 0n;
  });
}

/**
 * Releases the leases, duties and name reservations of processes that are known to be dead.
 * @returns the ids of the deliveries they held
 */
export function releaseLeasesOf(ledger: Db, ownerPrefix: string): Promise<string[]> {
  return ledger.transaction(async (tx) => {
    await tx.db
      .deleteFrom("duties")
      .where((eb) => startsWith(eb, "owner", ownerPrefix))
      .execute();
    await tx.db
      .updateTable("nameWrites")
      .set({ until: 0 })
      .where((eb) => startsWith(eb, "owner", ownerPrefix))
      .execute();
    const rows = await tx.db
      .updateTable("deliveries")
      .set({ leaseOwner: null, leaseUntil: null, updatedAt: now(tx) })
      // This condition makes the database use the index of leased deliveries, which is small.
      .where("leaseOwner", "is not", null)
      .where((eb) => startsWith(eb, "leaseOwner", ownerPrefix))
      .returning("id")
      .execute();
    const ids = rows.map((row) => row.id);
    await endOpenAttempts(tx, ids);
    return ids;
  });
}

/** Deliveries that are due and that no worker holds, oldest first. */
export async function dueDeliveries(ledger: Db, limit = 1_000): Promise<Delivery[]> {
  return (await dueOldestFirst(ledger, limit).execute()).map(toDelivery);
}

/** The query of dueDeliveries. */
export function dueOldestFirst(ledger: Db, limit: number) {
  const due = ledger.db.selectFrom("deliveries").selectAll().where(isDue(ledger));
  // This is the order of the index of active deliveries.
  return due.orderBy("createdAt").orderBy("id").limit(limit);
}

/** A delivery to take next. */
export interface Due {
  id: string;
  repoId: RepoId;
  sha: Sha;
  state: Delivery["state"];
  /** ms since it could have been taken: since it was queued, its back-off was over, or a dead worker's lease ran out. */
  dueFor: number;
  /** ms since it came into its state. */
  inState: number;
}

/**
 * The delivery to take next, in the order of `chooseNext`; null if none is due. Another worker may take it first:
 * `claimDelivery` then returns null.
 */
export async function nextDueDelivery(ledger: Db): Promise<Due | null> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .innerJoin("repos", "repos.id", "deliveries.repoId")
    .select(["deliveries.id", "repoId", "ref", "deliveries.createdAt", "servedAt"])
    .select(["sha", "state", "updatedAt", "retryAt", "leaseUntil", now(ledger).as("at")])
    .select([
      sql<number>`case when ${isFree(ledger)} then 1 else 0 end`.as("isFree"),
      sql<number>`case when lease_until > ${now(ledger)} then 1 else 0 end`.as("isHeld"),
      sql<string | null>`(select outcome from attempts where attempts.delivery_id = deliveries.id
        order by attempts.fence desc limit 1)`.as("lastOutcome"),
    ])
    .where(isActive())
    // This is the order of the index of active deliveries. Without it SQLite reads the whole table.
    .orderBy("deliveries.createdAt")
    .orderBy("deliveries.id")
    .execute();
  const loads = new Map<RepoId, RepoLoad>();
  for (const { repoId, servedAt, isHeld } of rows)
    loads.set(repoId, { servedAt, running: (loads.get(repoId)?.running ?? 0) + isHeld });
  const due = rows.filter((row) => row.isFree === 1).map((row) => ({ ...row, hasFailed: row.lastOutcome === "retry" }));
  const chosen = chooseNext(due, (repo) => loads.get(repo) ?? { running: 0, servedAt: 0 }, Math.random())?.id;
  const next = due.find((row) => row.id === chosen);
  if (next === undefined) return null;
  const { id, repoId, sha, state, at, updatedAt, retryAt, leaseUntil } = next;
  // Nothing writes to a delivery that is queued and free, except what makes it due.
  const dueSince = Math.max(updatedAt, retryAt ?? 0, leaseUntil ?? 0);
  return { id, repoId, sha, state, dueFor: Math.max(0, at - dueSince), inState: Math.max(0, at - updatedAt) };
}

/** The newest 500 attempts of a delivery, oldest first. */
export async function attemptsOf(ledger: Db, id: string): Promise<Attempt[]> {
  const newest = ledger.db
    .selectFrom("attempts")
    .innerJoin("deliveries", "deliveries.id", "attempts.deliveryId")
    .selectAll("attempts")
    .select("deliveries.attempts as count")
    .where("deliveryId", "=", id)
    .orderBy("attempts.fence", "desc");
  const rows = await newest.limit(500).execute();
  return rows.map(({ count, ...row }, index) => ({ ...row, number: count - index })).reverse();
}

/**
 * The message of the last attempt, if it prepared the delivery while CI ran and failed because of the user's own files;
 * null otherwise.
 */
export async function preparationFailure(ledger: Db, id: string): Promise<string | null> {
  const last = (await attemptsOf(ledger, id)).at(-1);
  return last?.outcome === "failed-ahead" ? (last.message ?? "") : null;
}

/**
 * The error codes of the last consecutive attempts that ended with `retry`, oldest first. Attempts whose process died
 * are skipped: they prove nothing about the work.
 */
export async function recentFailureCodes(ledger: Db, id: string): Promise<string[]> {
  const ended = (await attemptsOf(ledger, id)).filter(({ outcome }) => outcome !== null && outcome !== "lost");
  const last = ended.findLastIndex(({ outcome }) => outcome !== "retry");
  return ended.slice(last + 1).map(({ errorCode }) => errorCode ?? "");
}

/**
 * Checks the fence and locks the delivery's row, so that nobody can claim it before the transaction ends.
 * @returns false if the fence is stale: the caller must not write anything
 */
export async function lockFence(tx: Tx, id: string, fence: number): Promise<boolean> {
  const result = await tx.db
    .updateTable("deliveries")
    .set({ updatedAt: now(tx) })
    .where("id", "=", id)
    .where("fence", "=", fence)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

function isDue(ledger: Db) {
  return sql<boolean>`${isActive()} and ${isFree(ledger)}`;
}

function isActive() {
  return sql<boolean>`state in (${sql.join(ACTIVE_STATES.map((state) => sql.lit(state)))})`;
}

function isPreparable(ledger: Db) {
  return sql<boolean>`state = 'waiting' and ${isFree(ledger)}`;
}

function isFree(ledger: Db) {
  const at = now(ledger);
  return sql<boolean>`(cancel_requested = 0 or naming is not null)
    and (lease_until is null or lease_until <= ${at}) and (retry_at is null or retry_at <= ${at})`;
}

/** An attempt without an end was interrupted: its process died, or was paused for longer than its lease. */
async function endOpenAttempts(tx: Tx, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.db
    .updateTable("attempts")
    .set({ endedAt: now(tx), outcome: "lost" })
    .where("deliveryId", "in", ids)
    .where("endedAt", "is", null)
    .execute();
}
