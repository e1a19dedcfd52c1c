import { createHash } from "node:crypto";
import { type ExpressionBuilder, type Selectable, sql } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import type { Schema } from "./schema.ts";
import { fromNow, now } from "./sql.ts";

type Row = Selectable<Schema["outbox"]>;

/** What is owed to the outside. `payload` is what was queued. */
export type Outgoing = Omit<Row, "payload"> & { payload: unknown };

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
  const fresh = newRow(tx, {
    id,
    kind: "status",
    repoId,
    sha,
    deliveryId,
    payload: JSON.stringify(payload),
  });
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

/** Owes another word where something was said under this context before; else nothing. */
export async function replaceStatus<Payload extends { context: string }>(
  tx: Tx,
  status: { repoId: RepoId; sha: Sha; deliveryId: string | null; payload: Payload },
): Promise<void> {
  const id = statusId(status.repoId, status.sha, status.payload.context);
  const said = await tx.db.selectFrom("outbox").select("id").where("id", "=", id).executeTakeFirst();
  if (said !== undefined) await queueStatus(tx, status);
}

function statusId(repoId: RepoId, sha: Sha, context: string): string {
  const key = JSON.stringify(["status", repoId, sha, context.toLowerCase()]);
  return `status-${createHash("sha256").update(key).digest("hex").slice(0, 24)}`;
}

/** Owes an artifact a look at its moving names: what a queue may lose stands here until it was done. */
export async function oweNames(
  tx: Tx,
  owed: { repoId: RepoId; sha: Sha; deliveryId: string | null; artifact: string },
): Promise<void> {
  const { artifact, ...subject } = owed;
  const fresh = newRow(tx, {
    ...subject,
    id: namesId(owed.repoId, artifact),
    kind: "names",
    payload: JSON.stringify({ artifact }),
  });
  await tx.db
    .insertInto("outbox")
    .values(fresh)
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet((eb) => ({
        sha: eb.ref("excluded.sha"),
        deliveryId: eb.ref("excluded.deliveryId"),
        state: "unsent",
        revision: eb("outbox.revision", "+", 1),
        updatedAt: eb.ref("excluded.updatedAt"),
      })),
    )
    .execute();
}

/** The looks that are owed, or the one that is owed to this artifact. */
export async function owedNames(ledger: Db, of?: { repoId: RepoId; artifact: string }): Promise<OwedNames[]> {
  let query = ledger.db
    .selectFrom("outbox")
    .select(["id", "revision", "repoId", "payload"])
    .where("kind", "=", "names")
    .where("state", "=", sql.lit("unsent"));
  if (of !== undefined) query = query.where("id", "=", namesId(of.repoId, of.artifact));
  const rows = await query.execute();
  return rows.map(({ payload, ...row }) => ({
    ...row,
    artifact: (JSON.parse(payload) as { artifact: string }).artifact,
  }));
}

export interface OwedNames {
  id: string;
  revision: number;
  repoId: RepoId;
  artifact: string;
}

function namesId(repoId: RepoId, artifact: string): string {
  return createHash("sha256")
    .update(JSON.stringify(["names", repoId, artifact]))
    .digest("hex")
    .slice(0, 24);
}

/** Owes a notice, once. `id` is a function of the release and of whom it goes to. */
export async function queueNotice(
  tx: Tx,
  notice: { id: string; repoId: RepoId; sha: Sha; deliveryId: string | null; payload: unknown },
): Promise<void> {
  const { payload, ...fields } = notice;
  await tx.db
    .insertInto("outbox")
    .values(newRow(tx, { ...fields, kind: "notice", payload: JSON.stringify(payload) }))
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
}

/** What is to be sent now, longest waiting first. Read by state, so that a row committed late is not passed over. */
export async function dueOutbox(ledger: Db, limit: number): Promise<Outgoing[]> {
  const rows = await ledger.db
    .selectFrom("outbox")
    .selectAll()
    .where("kind", "<>", "names")
    .where(isDue(ledger))
    .orderBy("updatedAt")
    .orderBy("id")
    .limit(limit)
    .execute();
  return rows.map(fromRow);
}

/**
 * Takes what is to be sent now, for so many ms: nobody else is given it meanwhile, and whoever dies with it leaves it due again.
 * Said anew meanwhile, a status is due at once.
 */
export async function takeDue(ledger: Db, limit: number, ms: number): Promise<Outgoing[]> {
  const due = (await dueOutbox(ledger, limit)).map(({ id }) => id);
  if (due.length === 0) return [];
  const rows = await ledger.db
    .updateTable("outbox")
    .set({ retryAt: fromNow(ledger, ms) })
    .where("id", "in", due)
    .where(isDue(ledger))
    .returningAll()
    .execute();
  return rows.map(fromRow);
}

/** Everything said, or to be said, of a commit. */
export async function outboxOf(ledger: Db, repoId: RepoId, sha: Sha): Promise<Outgoing[]> {
  const rows = await ledger.db
    .selectFrom("outbox")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .orderBy("createdAt")
    .orderBy("id")
    .execute();
  return rows.map(fromRow);
}

export async function countUnsent(ledger: Db): Promise<number> {
  const row = await ledger.db
    .selectFrom("outbox")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("state", "=", sql.lit("unsent"))
    .executeTakeFirstOrThrow();
  return row.count;
}

/** @returns false: something newer was queued while this revision was sent, and is still owed */
export async function markSent(ledger: Db, id: string, revision: number): Promise<boolean> {
  const result = await unsent(ledger, id, revision)
    .set((eb) => ({ state: "sent", sentAt: now(ledger), attempts: eb("attempts", "+", 1), error: null }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** To be sent again. @param retryIn ms from now */
export async function markFailed(
  ledger: Db,
  id: string,
  revision: number,
  error: string,
  retryIn: number,
): Promise<boolean> {
  const result = await unsent(ledger, id, revision)
    .set((eb) => ({ attempts: eb("attempts", "+", 1), error, retryAt: fromNow(ledger, retryIn) }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** Never to be sent: the other side will not take it. */
export async function drop(ledger: Db, id: string, revision: number, error: string): Promise<boolean> {
  const result = await unsent(ledger, id, revision)
    .set((eb) => ({ state: "dropped", attempts: eb("attempts", "+", 1), error }))
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

function isDue(ledger: Db) {
  return (eb: ExpressionBuilder<Schema, "outbox">) =>
    eb.and([eb("state", "=", sql.lit("unsent")), eb.or([eb("retryAt", "is", null), eb("retryAt", "<=", now(ledger))])]);
}

function unsent(ledger: Db, id: string, revision: number) {
  return ledger.db
    .updateTable("outbox")
    .where("id", "=", id)
    .where("revision", "=", revision)
    .where("state", "=", sql.lit("unsent"));
}

function newRow(tx: Tx, row: Pick<Row, "id" | "kind" | "repoId" | "sha" | "deliveryId" | "payload">) {
  const { id, kind, repoId, sha, deliveryId, payload } = row;
  const said = { id, kind, repoId, sha, deliveryId, payload };
  return { ...said, state: "unsent" as const, revision: 1, createdAt: now(tx), updatedAt: now(tx), attempts: 0 };
}

function fromRow(row: Row): Outgoing {
  return { ...row, payload: JSON.parse(row.payload) as unknown };
}
