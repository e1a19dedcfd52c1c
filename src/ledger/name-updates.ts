import { createHash } from "node:crypto";
import { type Selectable, sql } from "kysely";
import { freshFirst } from "../delivery/sharing.ts";
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

/** Owes an artifact a look at its moving names: what a queue may lose stands here until it was done. */
export async function queueNameUpdate(tx: Tx, owed: NamesSubject): Promise<void> {
  await queueUpdate(tx, owed, { artifact: owed.artifact }, null);
}

/** Owes the artifact another look at all of its names, since a registry could not be asked. @param retryIn ms */
export async function queueNameVerification(tx: Tx, owed: NamesSubject, retryIn: number): Promise<void> {
  await queueUpdate(tx, owed, { artifact: owed.artifact, verify: true }, retryIn);
}

interface NamesPayload {
  artifact: string;
  verify?: true;
}

async function queueUpdate(tx: Tx, owed: NamesSubject, payload: NamesPayload, retryIn: number | null): Promise<void> {
  const { artifact, ...subject } = owed;
  const id = namesId(owed.repoId, artifact);
  const fresh = newOutboxRow(tx, { ...subject, id, kind: "names", payload: JSON.stringify(payload), lane: "names" });
  const isVerified = payload.verify === true;
  await tx.db
    .insertInto("outbox")
    .values({ ...fresh, retryAt: fromNow(tx, retryIn) })
    .onConflict((conflict) =>
      conflict.column("id").doUpdateSet((eb) => ({
        sha: eb.ref("excluded.sha"),
        deliveryId: eb.ref("excluded.deliveryId"),
        // A verification that is owed stays owed when a plain look is asked for.
        payload: isVerified
          ? eb.ref("excluded.payload")
          : sql<string>`case when outbox.state = 'unsent' then outbox.payload else excluded.payload end`,
        // What failed stays what failed: see dueNames.
        attempts: sql<number>`case when outbox.error is null then 0 else outbox.attempts end`,
        retryAt: eb.ref("excluded.retryAt"),
        state: "unsent",
        revision: eb("outbox.revision", "+", 1),
        updatedAt: eb.ref("excluded.updatedAt"),
      })),
    )
    .execute();
}

/** The looks that are due, what never failed first; or the one that is owed to this artifact, due or not. */
export async function pendingNameUpdates(
  ledger: Db,
  of?: { repoId: RepoId; artifact: string },
  limit = NAMES_AT_ONCE,
): Promise<PendingNameUpdate[]> {
  const isEarly = sql<number>`case when retry_at > ${now(ledger)} then 1 else 0 end`;
  const some = ledger.db
    .selectFrom("outbox")
    .select(["id", "revision", "repoId", "payload", "attempts", isEarly.as("isEarly")])
    .where("kind", "=", "names")
    .where("state", "=", sql.lit("unsent"));
  if (of !== undefined) {
    return (await some.where("id", "=", namesId(of.repoId, of.artifact)).execute()).map(fromNames);
  }
  const due = some.where((eb) => eb.or([eb("retryAt", "is", null), eb("retryAt", "<=", now(ledger))])).limit(limit);
  const fresh = await due.where("attempts", "=", 0).orderBy("updatedAt").orderBy("id").execute();
  const again = await due.where("attempts", ">", 0).orderBy("retryAt").orderBy("id").execute();
  return freshFirst(fresh, again, limit).map(fromNames);
}

const NAMES_AT_ONCE = 1_000;

export interface PendingNameUpdate {
  id: string;
  revision: number;
  repoId: RepoId;
  artifact: string;
  /** The registries are to be asked first whether the names still stand. */
  mustVerify: boolean;
  failures: number;
  isEarly: boolean;
}

function fromNames(
  row: Pick<Row, "id" | "revision" | "repoId" | "payload" | "attempts"> & { isEarly: number },
): PendingNameUpdate {
  const { artifact, verify } = JSON.parse(row.payload) as NamesPayload;
  const { id, revision, repoId, attempts, isEarly } = row;
  return { id, revision, repoId, artifact, mustVerify: verify === true, failures: attempts, isEarly: isEarly === 1 };
}

/** The look failed, and is owed still. @param retryIn ms */
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
