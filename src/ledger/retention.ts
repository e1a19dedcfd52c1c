import { setTimeout as delay } from "node:timers/promises";
import { sql } from "kysely";
import { FINISHED_STATES } from "./deliveries.ts";
import type { Db, Tx } from "./ledger.ts";
import { payloadHash } from "./outbox.ts";
import { fromNow, now } from "./sql.ts";

/** Rows that go in one transaction: few, so that no webhook waits for them. */
const AT_ONCE = 200;
/** ms between two: whoever waits for the ledger has it meanwhile. */
const PAUSE = 10;
/** Rows that go in one round; the next round goes on. */
const MOST = 50_000;

/**
 * Drops what explains deliveries that ended long ago: hints, decisions, attempts, logs, what was sent, and whole deliveries
 * of commits that were ignored. All others, releases, versions and names stay; and so does, in `told`, that something was
 * told, so that nothing is told again for want of its row. In small steps, at a cost that goes by what is dropped.
 * @param age ms. @returns how many rows went
 */
export async function deleteOldRows(ledger: Db, age: number): Promise<number> {
  const before = fromNow(ledger, -age);
  if (before === null) return 0;
  // Asked for each old row by itself: a list of all deliveries that ended long ago only grows.
  const hasEnded = (deliveryId: "attempts.deliveryId" | "logs.deliveryId") =>
    sql<boolean>`exists ${ledger.db
      .selectFrom("deliveries")
      .select("id")
      .where("id", "=", sql<string>`${sql.ref(deliveryId)}`)
      .where("state", "in", FINISHED_STATES)
      .where("finishedAt", "<", before)}`;
  const steps: ((tx: Tx) => Promise<number>)[] = [
    async ({ db }) => {
      const old = db.selectFrom("hints").select("id").where("doneAt", "<", before).orderBy("doneAt").limit(AT_ONCE);
      return deleted(await db.deleteFrom("hints").where("id", "in", old).executeTakeFirst());
    },
    async ({ db }) => {
      const old = db.selectFrom("decisions").select("id").where("at", "<", before).orderBy("at").limit(AT_ONCE);
      return deleted(await db.deleteFrom("decisions").where("id", "in", old).executeTakeFirst());
    },
    async ({ db }) => {
      const old = db
        .selectFrom("attempts")
        .select(["deliveryId", "fence"])
        .where("startedAt", "<", before)
        .where(hasEnded("attempts.deliveryId"))
        .orderBy("startedAt")
        .limit(AT_ONCE);
      const isOld = sql<boolean>`(delivery_id, fence) in ${old}`;
      return deleted(await db.deleteFrom("attempts").where(isOld).executeTakeFirst());
    },
    async ({ db }) => {
      const old = db
        .selectFrom("logs")
        .select(["deliveryId", "seq"])
        .where("at", "<", before)
        .where(hasEnded("logs.deliveryId"))
        .orderBy("at")
        .limit(AT_ONCE);
      return deleted(await db.deleteFrom("logs").where(sql<boolean>`(delivery_id, seq) in ${old}`).executeTakeFirst());
    },
    (tx) => forgetSent(tx, before),
    (tx) => forgetIgnored(tx, before),
    async ({ db }) => {
      const old = db.selectFrom("looks").select(["repoId", "sha", "ref"]).where("at", "<", before).limit(AT_ONCE);
      return deleted(
        await db.deleteFrom("looks").where(sql<boolean>`(repo_id, sha, ref) in ${old}`).executeTakeFirst(),
      );
    },
  ];
  let gone = 0;
  for (const step of steps) {
    for (let some = AT_ONCE; some >= AT_ONCE && gone < MOST; gone += some) {
      some = await ledger.transaction(step);
      if (some >= AT_ONCE) await delay(PAUSE);
    }
  }
  return gone;
}

/** What was sent or dropped. Of a status it stays known what was said last, of a notice's event that it was told. */
async function forgetSent(tx: Tx, before: NonNullable<ReturnType<typeof fromNow>>): Promise<number> {
  const rows = await tx.db
    .selectFrom("outbox")
    .select(["id", "kind", "payload"])
    .where("state", "<>", sql.lit("unsent"))
    .where("updatedAt", "<", before)
    .where((eb) => eb.or([eb("sentAt", "is", null), eb("sentAt", "<", before)]))
    .orderBy("updatedAt")
    .limit(AT_ONCE)
    .execute();
  const said = rows.filter(({ kind }) => kind === "status");
  for (const { id, payload } of said) {
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

/** Commits that were ignored and never released: should one be looked at again, it is decided anew, and ignored anew. */
async function forgetIgnored(tx: Tx, before: NonNullable<ReturnType<typeof fromNow>>): Promise<number> {
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
    // What is still to be said of it is said first, and stays known.
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
    .limit(AT_ONCE)
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
