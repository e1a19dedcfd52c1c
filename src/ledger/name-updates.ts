import { createHash } from "node:crypto";
import { type Selectable, sql } from "kysely";
import { freshFirst } from "../delivery/fair-share.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import { newOutboxRow } from "./outbox-row.ts";
import type { Schema } from "./schema/schema.ts";
import { fromNow, now } from "./sql.ts";

type Row = Selectable<Schema["outbox"]>;

interface NamesSubject {
  repoId: RepoId;
  sha: Sha;
  deliveryId: string | null;
  artifact: string;
}

/**
 * Queues an update of an artifact's moving names. It stays in the ledger until it is done, since Redis may lose jobs.
 */
export async function queueNameUpdate(tx: Tx, subject: NamesSubject): Promise<void> {
  await queueUpdate(tx, subject, { artifact: subject.artifact }, null);
}

/** Queues an update that first verifies all of the artifact's names at their registries. @param retryIn ms from now */
export async function queueNameVerification(tx: Tx, subject: NamesSubject, retryIn: number): Promise<void> {
  await queueUpdate(tx, subject, { artifact: subject.artifact, verify: true }, retryIn);
}

interface NamesPayload {
  artifact: string;
  verify?: true;
}

async function queueUpdate(
  tx: Tx,
  { artifact, ...subject }: NamesSubject,
  payload: NamesPayload,
  retryIn: number | null,
): Promise<void> {
  const id = namesId(subject.repoId, artifact);
  const fresh = newOutboxRow(tx, { ...subject, id, kind: "names", payload: JSON.stringify(payload), lane: "names" });
  await tx.db
    .insertInto("outbox")
    .values({ ...fresh, retryAt: fromNow(tx, retryIn) })
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet((eb) => ({
        sha: eb.ref("excluded.sha"),
        deliveryId: eb.ref("excluded.deliveryId"),
        // A plain update must not replace a pending verification.
        payload: payload.verify
          ? eb.ref("excluded.payload")
          : sql<string>`case when outbox.state = 'unsent' then outbox.payload else excluded.payload end`,
        // After a failure the update stays among those that failed: see dueNameUpdates.
        attempts: sql<number>`case when outbox.error is null then 0 else outbox.attempts end`,
        retryAt: eb.ref("excluded.retryAt"),
        state: "unsent",
        revision: eb("outbox.revision", "+", 1),
        updatedAt: eb.ref("excluded.updatedAt"),
      })),
    )
    .execute();
}

/** The updates that are due. Those that never failed come first, but one place in four is for those that failed. */
export async function dueNameUpdates(ledger: Db, limit = 1_000): Promise<PendingNameUpdate[]> {
  const due = pendingRows(ledger)
    .where((eb) => eb.or([eb("retryAt", "is", null), eb("retryAt", "<=", now(ledger))]))
    .limit(limit);
  const fresh = await due.where("attempts", "=", 0).orderBy("updatedAt").orderBy("id").execute();
  const failed = await due.where("attempts", ">", 0).orderBy("retryAt").orderBy("id").execute();
  return freshFirst(fresh, failed, limit).map(toNameUpdate);
}

/** The pending update of this artifact, due or not; null if there is none. */
export async function pendingNameUpdate(
  ledger: Db,
  { repoId, artifact }: { repoId: RepoId; artifact: string },
): Promise<PendingNameUpdate | null> {
  const row = await pendingRows(ledger).where("id", "=", namesId(repoId, artifact)).executeTakeFirst();
  return row === undefined ? null : toNameUpdate(row);
}

function pendingRows(ledger: Db) {
  const isEarly = sql<number>`case when retry_at > ${now(ledger)} then 1 else 0 end`;
  return ledger.db
    .selectFrom("outbox")
    .select(["id", "revision", "repoId", "payload", "attempts", isEarly.as("isEarly")])
    .where("kind", "=", "names")
    .where("state", "=", sql.lit("unsent"));
}

export interface PendingNameUpdate {
  id: string;
  revision: number;
  repoId: RepoId;
  artifact: string;
  /** Before the update, the registries must be asked whether they still have the names. */
  mustVerify: boolean;
  failures: number;
  isEarly: boolean;
}

function toNameUpdate(
  row: Pick<Row, "id" | "revision" | "repoId" | "payload" | "attempts"> & { isEarly: number },
): PendingNameUpdate {
  const { artifact, verify } = JSON.parse(row.payload) as NamesPayload;
  const { id, revision, repoId, attempts, isEarly } = row;
  return { id, revision, repoId, artifact, mustVerify: verify === true, failures: attempts, isEarly: isEarly === 1 };
}

/** Records that an update failed; it stays pending. @param retryIn ms until the next attempt */
export async function markNameUpdateFailed(
  ledger: Db,
  { repoId, artifact }: { repoId: RepoId; artifact: string },
  error: string,
  retryIn: number,
): Promise<void> {
  await ledger.db
    .updateTable("outbox")
    .set((eb) => ({ attempts: eb("attempts", "+", 1), error, retryAt: fromNow(ledger, retryIn) }))
    .where("id", "=", namesId(repoId, artifact))
    .where("state", "=", sql.lit("unsent"))
    .execute();
}

function namesId(repoId: RepoId, artifact: string): string {
  return createHash("sha256")
    .update(JSON.stringify(["names", repoId, artifact]))
    .digest("hex")
    .slice(0, 24);
}
