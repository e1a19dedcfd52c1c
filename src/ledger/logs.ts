import { gunzipSync, gzipSync } from "node:zlib";
import { sql } from "kysely";
import type { Db } from "./ledger.ts";
import { integer, now } from "./sql.ts";

export interface LogChunk {
  /** The number of the chunk in its log, from 1. */
  seq: number;
  text: string;
}

/** Appends a chunk to a delivery's log. @returns its seq */
export async function appendLog(ledger: Db, deliveryId: string, text: string): Promise<number> {
  const bytes = Buffer.byteLength(text);
  const chunk = gzipSync(text).toString("base64");
  for (;;) {
    const row = await ledger.db
      .insertInto("logs")
      .columns(["deliveryId", "seq", "at", "bytes", "chunk"])
      .expression((eb) =>
        eb
          .selectFrom("logs")
          .select([
            sql`cast(${deliveryId} as text)`.as("deliveryId"),
            sql<number>`coalesce(max(seq), 0) + 1`.as("seq"),
            now(ledger).as("at"),
            integer(bytes).as("bytes"),
            sql`cast(${chunk} as text)`.as("chunk"),
          ])
          .where("deliveryId", "=", deliveryId),
      )
      // On PostgreSQL another writer may have taken the same seq. The loop then takes the next one.
      .onConflict((conflict) => conflict.columns(["deliveryId", "seq"]).doNothing())
      .returning("seq")
      .executeTakeFirst();
    if (row !== undefined) return row.seq;
  }
}

/** Chunks of a delivery's log, starting at `fromSeq`; empty if there are no more yet. */
export async function readLog(ledger: Db, deliveryId: string, fromSeq = 1, limit = 100): Promise<LogChunk[]> {
  const rows = await ledger.db
    .selectFrom("logs")
    .select(["seq", "chunk"])
    .where("deliveryId", "=", deliveryId)
    .where("seq", ">=", fromSeq)
    .orderBy("seq")
    .limit(limit)
    .execute();
  return rows.map(({ seq, chunk }) => ({ seq, text: gunzipSync(Buffer.from(chunk, "base64")).toString() }));
}

/** The seq of the last chunk of a delivery's log; 0 if the log is empty. */
export async function lastLogSeq(ledger: Db, deliveryId: string): Promise<number> {
  const row = await ledger.db
    .selectFrom("logs")
    .select(sql<number>`coalesce(max(seq), 0)`.as("seq"))
    .where("deliveryId", "=", deliveryId)
    .executeTakeFirstOrThrow();
  return row.seq;
}

/** The size of a delivery's log, in bytes of text before compression. */
export async function logBytes(ledger: Db, deliveryId: string): Promise<number> {
  const row = await ledger.db
    .selectFrom("logs")
    .select(sql<number>`cast(coalesce(sum(bytes), 0) as bigint)`.as("bytes"))
    .where("deliveryId", "=", deliveryId)
    .executeTakeFirstOrThrow();
  return row.bytes;
}
