import { createHash } from "node:crypto";
import { type Selectable, sql } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import { lastAnnouncedHash, recordAnnounced } from "./announced.ts";
import type { Db, Tx } from "./ledger.ts";
import { newOutboxRow } from "./outbox-row.ts";
import type { Schema } from "./schema/schema.ts";
import { fromNow, now } from "./sql.ts";

type Row = Selectable<Schema["outbox"]>;
type OutboxKind = Row["kind"];

/** A message to the outside that is to be sent, or was sent. `payload` is the JSON value that was queued. */
export type OutboxEntry = Omit<Row, "payload" | "said"> & {
  payload: unknown;
  /** Of a status: the payload that the host took last. */
  said: unknown;
};

/**
 * Queues a commit status. Each context of a commit has one row: an equal payload changes nothing, another one replaces
 * it, whether it was sent or not. Contexts are compared without case, as GitHub does.
 */
export async function queueStatus<Payload extends { context: string }>(
  tx: Tx,
  status: { repoId: RepoId; sha: Sha; deliveryId: string | null; payload: Payload },
): Promise<void> {
  const { repoId, sha, deliveryId, payload } = status;
  const id = statusId(repoId, sha, payload.context);
  const text = JSON.stringify(payload);
  // retention.ts deletes old rows and keeps the hash of what they sent.
  if (!(await hasRow(tx, id)) && (await lastAnnouncedHash(tx, id)) === payloadHash(text)) return;
  const lane = statusLane(repoId);
  const fresh = newOutboxRow(tx, { id, kind: "status", repoId, sha, deliveryId, payload: text, lane });
  await tx.db
    .insertInto("outbox")
    .values(fresh)
    .onConflict((conflict) =>
      conflict
        .column("id")
        .doUpdateSet((eb) => ({
          deliveryId: eb.ref("excluded.deliveryId"),
          payload: eb.ref("excluded.payload"),
          state: "unsent",
          revision: eb("outbox.revision", "+", 1),
          updatedAt: eb.ref("excluded.updatedAt"),
          attempts: 0,
          retryAt: null,
          error: null,
        }))
        .whereRef("outbox.payload", "<>", "excluded.payload"),
    )
    .execute();
}

/**
 * The lane of a receiver of notices. A lane is a queue with one destination (a git host, or a receiver of notices), so
 * a destination that does not answer delays no other.
 */
export function noticeLane(receiver: string): string {
  return `notice ${receiver}`;
}

/** The lane of the statuses of a repo: one for each host. */
export function statusLane(repoId: RepoId): string {
  return `status ${repoId.split(":", 1)[0] ?? ""}`;
}

export function payloadHash(payload: string): string {
  return createHash("sha256").update(payload).digest("hex").slice(0, 16);
}

/** Queues a status only if the commit already has, or had, one with this context. */
export async function replaceStatus<Payload extends { context: string }>(
  tx: Tx,
  status: { repoId: RepoId; sha: Sha; deliveryId: string | null; payload: Payload },
): Promise<void> {
  const id = statusId(status.repoId, status.sha, status.payload.context);
  if ((await hasRow(tx, id)) || (await lastAnnouncedHash(tx, id)) !== null) await queueStatus(tx, status);
}

async function hasRow(tx: Tx, id: string): Promise<boolean> {
  return (await tx.db.selectFrom("outbox").select("id").where("id", "=", id).executeTakeFirst()) !== undefined;
}

function statusId(repoId: RepoId, sha: Sha, context: string): string {
  const key = JSON.stringify(["status", repoId, sha, context.toLowerCase()]);
  return `status-${createHash("sha256").update(key).digest("hex").slice(0, 24)}`;
}

/** Queues a notice, once for each `id`. The id is a function of the event and the receiver. */
export async function queueNotice(
  tx: Tx,
  notice: { id: string; repoId: RepoId; sha: Sha; deliveryId: string | null; payload: unknown; lane?: string },
): Promise<void> {
  const { payload, lane = noticeLane(""), ...fields } = notice;
  await tx.db
    .insertInto("outbox")
    .values(newOutboxRow(tx, { ...fields, kind: "notice", payload: JSON.stringify(payload), lane }))
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
}

/**
 * Records that an event is announced. The record outlives the event's notices, so that it is announced once.
 * @returns whether the event is new
 */
export function recordEvent(tx: Tx, eventId: string): Promise<boolean> {
  return recordAnnounced(tx, eventId, "");
}

/** Every message about a commit, sent or not. */
export async function outboxOfCommit(ledger: Db, repoId: RepoId, sha: Sha): Promise<OutboxEntry[]> {
  const rows = await ledger.db
    .selectFrom("outbox")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .orderBy("createdAt")
    .orderBy("id")
    .execute();
  return rows.map(toOutboxEntry);
}

export async function countUnsent(ledger: Db): Promise<number> {
  const row = await ledger.db
    .selectFrom("outbox")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("state", "=", sql.lit("unsent"))
    .executeTakeFirstOrThrow();
  return row.count;
}

/** How many messages of each kind are not sent yet. */
export async function countUnsentByKind(ledger: Db): Promise<Record<OutboxKind, number>> {
  const counts: Record<OutboxKind, number> = { status: 0, notice: 0, names: 0, proof: 0 };
  for (const { kind, count } of await unsentByKind(ledger).execute()) counts[kind] = count;
  return counts;
}

/** The query of countUnsentByKind. */
export function unsentByKind(ledger: Db) {
  return ledger.db
    .selectFrom("outbox")
    .select((eb) => ["kind", eb.fn.countAll<number>().as("count")])
    .where("state", "=", sql.lit("unsent"))
    .groupBy("kind");
}

/**
 * Two senders may have sent statuses of one context in the wrong order. Then the newest is sent again after this time:
 * by then a delayed request has arrived, or never will.
 */
const REPEAT_DELAY_MS = 60_000;

/**
 * Records that this revision of an entry was sent.
 * @param fence the sender's lease; if left out, any lease is accepted
 * @returns false if a newer revision was queued meanwhile, which is still unsent, or if another sender has the lease
 */
export async function markSent(ledger: Db, id: string, revision: number, fence?: number): Promise<boolean> {
  const result = await unsent(ledger, id, revision, fence)
    .set((eb) => ({
      state: sql<"unsent">`case when repeats > 0 then 'unsent' else 'sent' end`,
      retryAt: sql<number>`case when repeats > 0 then ${fromNow(ledger, REPEAT_DELAY_MS)} end`,
      repeats: 0,
      sentAt: now(ledger),
      said: sql<string | null>`case when kind = 'status' then payload end`,
      attempts: eb("attempts", "+", 1),
      error: null,
      ...NO_LEASE,
    }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

const NO_LEASE = { leaseOwner: null, leaseUntil: null };

/** Records a failed attempt to send. @param retryIn ms until the next one. @returns as markSent */
export async function markFailed(
  ledger: Db,
  id: string,
  revision: number,
  error: string,
  retryIn: number,
  fence?: number,
): Promise<boolean> {
  const result = await unsent(ledger, id, revision, fence)
    .set((eb) => ({ attempts: eb("attempts", "+", 1), error, retryAt: fromNow(ledger, retryIn), ...NO_LEASE }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Records that an entry is never sent, because its destination refuses it. @returns as markSent */
export async function markDropped(
  ledger: Db,
  id: string,
  revision: number,
  error: string,
  fence?: number,
): Promise<boolean> {
  const result = await unsent(ledger, id, revision, fence)
    .set((eb) => ({ state: "dropped", attempts: eb("attempts", "+", 1), error, ...NO_LEASE }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

function unsent(ledger: Db, id: string, revision: number, fence?: number) {
  const row = ledger.db
    .updateTable("outbox")
    .where("id", "=", id)
    .where("revision", "=", revision)
    .where("state", "=", sql.lit("unsent"));
  return fence === undefined ? row : row.where("fence", "=", fence);
}

/** An outbox row with its payload parsed. */
export function toOutboxEntry(row: Row): OutboxEntry {
  return {
    ...row,
    payload: JSON.parse(row.payload) as unknown,
    said: row.said === null ? null : (JSON.parse(row.said) as unknown),
  };
}
