import { setTimeout as delay } from "node:timers/promises";
import { type RawBuilder, sql } from "kysely";
import { FINISHED_STATES } from "./deliveries.ts";
import type { Db, Tx } from "./ledger.ts";
import { payloadHash } from "./outbox.ts";
import { fromNow, now } from "./sql.ts";

/** Rows that one transaction deletes: few, so that webhooks do not wait for it. */
const BATCH_ROWS = 200;
/** Between two batches, so that others can use the ledger. */
const PAUSE_MS = 10;
/** Rows that one call deletes; the next call continues. */
const MAX_ROWS = 50_000;

/** Deletes at most `BATCH_ROWS` rows. @returns how many it deleted */
type DeleteBatch = (tx: Tx, before: RawBuilder<number>) => Promise<number>;

/** In this order: a row goes before the delivery that it belongs to. */
const STEPS: DeleteBatch[] = [
  (tx, before) => deleteOldest(tx, before, { table: "hints", key: "id", time: "done_at" }),
  (tx, before) => deleteOldest(tx, before, { table: "orders", key: "id", time: "done_at" }),
  (tx, before) => deleteOldest(tx, before, { table: "decisions", key: "id", time: "at" }),
  (tx, before) =>
    deleteOldest(tx, before, {
      ...{ table: "attempts", key: "delivery_id, fence", time: "started_at" },
      condition: sql`and ${isFinishedBefore("attempts.delivery_id", before)}`,
    }),
  (tx, before) =>
    deleteOldest(tx, before, {
      ...{ table: "logs", key: "delivery_id, seq", time: "at" },
      condition: sql`and ${isFinishedBefore("logs.delivery_id", before)}`,
    }),
  (tx, before) =>
    deleteOldest(tx, before, {
      ...{ table: "pushed_checks", key: "repo_id, sha, name", time: "received_at" },
      condition: sql`and not ${isDeliveryOpen()}`,
    }),
  deleteSent,
  deleteIgnored,
  (tx, before) => deleteOldest(tx, before, { table: "looks", key: "repo_id, sha, ref", time: "at", isIndexed: false }),
];

/**
 * Deletes what explains deliveries that ended long ago: hints, orders, decisions, attempts, logs, pushed results
 * of CI, sent messages, evaluations, and whole deliveries of ignored commits. Releases, versions, names and all other deliveries stay. The table `told`
 * keeps a record of what was sent, so that nothing is sent again after its row was deleted. It works in small batches,
 * and its cost depends only on how much it deletes.
 * @param age ms
 * @returns how many rows were deleted
 */
export async function deleteOldRows(ledger: Db, age: number): Promise<number> {
  const before = sql<number>`${fromNow(ledger, -age)}`;
  let total = 0;
  for (const deleteBatch of STEPS) {
    for (let count = BATCH_ROWS; count >= BATCH_ROWS && total < MAX_ROWS; total += count) {
      count = await ledger.transaction((tx) => deleteBatch(tx, before));
      if (count >= BATCH_ROWS) await delay(PAUSE_MS);
    }
  }
  return total;
}

/** A table with rows that are deleted by age, in the database's own (snake_case) names. */
interface AgingTable {
  table: string;
  /** The columns of its primary key, separated by commas. */
  key: string;
  /** The column with the time of a row. */
  time: string;
  /** Whether an index has the rows in the order of `time`. */
  isIndexed?: boolean;
  /** A further condition, beginning with `and`. */
  condition?: RawBuilder<unknown>;
}

async function deleteOldest(
  { db }: Tx,
  before: RawBuilder<number>,
  { table, key, time, isIndexed = true, condition = sql`` }: AgingTable,
): Promise<number> {
  const name = sql.table(table);
  // With the order, the database walks the index. Without an index, the order would cost a sort of all old rows.
  const order = isIndexed ? sql`order by ${sql.ref(time)}` : sql``;
  const oldest = sql`select ${sql.raw(key)} from ${name} where ${sql.ref(time)} < ${before} ${condition} ${order}
    limit ${sql.lit(BATCH_ROWS)}`;
  const { numAffectedRows } = await sql`delete from ${name} where (${sql.raw(key)}) in (${oldest})`.execute(db);
  return Number(numAffectedRows ?? 0n);
}

/** Asked for each old row by itself: a list of all deliveries that ended long ago would only grow. */
function isFinishedBefore(deliveryId: string, before: RawBuilder<number>): RawBuilder<boolean> {
  const finished = sql.join(FINISHED_STATES.map((state) => sql.lit(state)));
  return sql<boolean>`exists (select 1 from deliveries
    where deliveries.id = ${sql.ref(deliveryId)} and state in (${finished}) and finished_at < ${before})`;
}

/** Whether the commit of a pushed check has a delivery that has not ended: it still asks for the results of CI. */
function isDeliveryOpen(): RawBuilder<boolean> {
  const finished = sql.join(FINISHED_STATES.map((state) => sql.lit(state)));
  return sql<boolean>`exists (select 1 from deliveries where deliveries.repo_id = pushed_checks.repo_id
    and deliveries.sha = pushed_checks.sha and state not in (${finished}))`;
}

/** Deletes messages that were sent or refused. The table `told` keeps the hash of each status that was sent. */
async function deleteSent(tx: Tx, before: RawBuilder<number>): Promise<number> {
  const rows = await tx.db
    .selectFrom("outbox")
    .select(["id", "kind", "payload"])
    .where("state", "<>", sql.lit("unsent"))
    .where("updatedAt", "<", before)
    .where((eb) => eb.or([eb("sentAt", "is", null), eb("sentAt", "<", before)]))
    .orderBy("updatedAt")
    .limit(BATCH_ROWS)
    .execute();
  for (const { id, payload } of rows.filter(({ kind }) => kind === "status")) {
    await tx.db
      .insertInto("told")
      .values({ id, hash: payloadHash(payload), at: now(tx) })
      .onConflict((conflict) => conflict.column("id").doUpdateSet((eb) => ({ hash: eb.ref("excluded.hash") })))
      .execute();
  }
  if (rows.length === 0) return 0;
  const ids = rows.map(({ id }) => id);
  return deleted(await tx.db.deleteFrom("outbox").where("id", "in", ids).executeTakeFirst());
}

/**
 * Deletes deliveries that were ignored and never released. If such a commit is evaluated again, it is ignored again.
 */
async function deleteIgnored(tx: Tx, before: RawBuilder<number>): Promise<number> {
  const rows = await tx.db
    .selectFrom("deliveries")
    .select(["id", "repoId", "sha"])
    .where("state", "=", "ignored")
    .where("finishedAt", "<", before)
    .where("updatedAt", "<", before)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom("releases").select("releases.id").whereRef("releases.deliveryId", "=", "deliveries.id"))),
    )
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom("locations").select("tag").whereRef("locations.deliveryId", "=", "deliveries.id"))),
    )
    // Messages about the commit must be sent and deleted first.
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom("outbox")
            .select("outbox.id")
            .whereRef("outbox.repoId", "=", "deliveries.repoId")
            .whereRef("outbox.sha", "=", "deliveries.sha"),
        ),
      ),
    )
    .orderBy("createdAt")
    .limit(BATCH_ROWS)
    .execute();
  if (rows.length === 0) return 0;
  const ids = rows.map(({ id }) => id);
  for (const table of ["attempts", "logs", "artifacts"] as const)
    await tx.db.deleteFrom(table).where("deliveryId", "in", ids).execute();
  return deleted(await tx.db.deleteFrom("deliveries").where("id", "in", ids).executeTakeFirst());
}

function deleted({ numDeletedRows }: { numDeletedRows: bigint }): number {
  return Number(numDeletedRows);
}
