import { createHash } from "node:crypto";
import { type Selectable, sql } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import { lastAnnouncedHash, recordAnnounced } from "./announced.ts";
import type { Db, Tx } from "./ledger.ts";
import { newOutboxRow } from "./outbox-row.ts";
import type { Schema } from "./schema/schema.ts";
import { fromNow, now } from "./sql.ts";

type Row = Selectable<Schema["outbox"]>;

/** What is owed to the outside. `payload` is what was queued. */
export type OutboxEntry = Omit<Row, "payload"> & { payload: unknown };

/**
 * Owes a commit this status. Of one context only the newest word is kept: the same again changes nothing, another
 * replaces it, sent or not. Contexts are compared without case, as GitHub does.
 */
export async function queueStatus<Payload extends { context: string }>(
  tx: Tx,
  status: { repoId: RepoId; sha: Sha; deliveryId: string | null; payload: Payload },
): Promise<void> {
  const { repoId, sha, deliveryId, payload } = status;
  const id = statusId(repoId, sha, payload.context);
  const said = JSON.stringify(payload);
  // Where its row is gone, what it said is still known: see retention.ts.
  if (!(await hasRow(tx, id)) && (await lastAnnouncedHash(tx, id)) === payloadHash(said)) return;
  const lane = statusLane(repoId);
  const fresh = newOutboxRow(tx, { id, kind: "status", repoId, sha, deliveryId, payload: said, lane });
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

/** What is sent to one place, whatever becomes of the others: to one host, or to one receiver of notices. */
export function noticeLane(receiver: string): string {
  return `notice ${receiver}`;
}

function statusLane(repoId: RepoId): string {
  return `status ${repoId.split(":", 1)[0] ?? ""}`;
}

export function payloadHash(payload: string): string {
  return createHash("sha256").update(payload).digest("hex").slice(0, 16);
}

/** Owes another word where something was said under this context before; else nothing. */
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

/**
 * Owes a receiver a notice, once for each event and receiver.
 * @param notice `id` is a function of both
 */
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

/** Events are told once, also after the rows that told them are gone. @returns whether this one is new */
export function recordEvent(tx: Tx, eventId: string): Promise<boolean> {
  return recordAnnounced(tx, eventId, "");
}

/** Everything said, or to be said, of a commit. */
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

/** A word that another may have overtaken is said again after so long (ms): by then a request that was held up has arrived, or never will. */
const REPEAT_AFTER = 60_000;

/**
 * @param fence under which it was taken; left out: whoever holds it
 * @returns false: something newer was queued while this revision was sent, and is still owed, or another has it now
 */
export async function markSent(ledger: Db, id: string, revision: number, fence?: number): Promise<boolean> {
  const result = await unsent(ledger, id, revision, fence)
    .set((eb) => ({
      state: sql<"unsent">`case when repeats > 0 then 'unsent' else 'sent' end`,
      retryAt: sql<number>`case when repeats > 0 then ${fromNow(ledger, REPEAT_AFTER)} end`,
      repeats: 0,
      sentAt: now(ledger),
      attempts: eb("attempts", "+", 1),
      error: null,
      ...FREE,
    }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

const FREE = { leaseOwner: null, leaseUntil: null };

/** To be sent again. @param retryIn ms from now */
export async function markFailed(
  ledger: Db,
  id: string,
  revision: number,
  error: string,
  retryIn: number,
  fence?: number,
): Promise<boolean> {
  const result = await unsent(ledger, id, revision, fence)
    .set((eb) => ({ attempts: eb("attempts", "+", 1), error, retryAt: fromNow(ledger, retryIn), ...FREE }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Never to be sent: the other side will not take it. */
export async function markDropped(
  ledger: Db,
  id: string,
  revision: number,
  error: string,
  fence?: number,
): Promise<boolean> {
  const result = await unsent(ledger, id, revision, fence)
    .set((eb) => ({ state: "dropped", attempts: eb("attempts", "+", 1), error, ...FREE }))
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

/** As it is read by others than its sender. */
export function toOutboxEntry(row: Row): OutboxEntry {
  return { ...row, payload: JSON.parse(row.payload) as unknown };
}
