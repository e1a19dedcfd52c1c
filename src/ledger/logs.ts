import { gunzipSync, gzipSync } from "node:zlib";
import { sql } from "kysely";
import type { Db } from "./ledger.ts";
import { integer, now } from "./sql.ts";

export interface LogChunk {
  /** From 1, rising. */
  seq: number;
  text: string;
}

/** Adds to a delivery's log. @returns the chunk's seq */
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
      // On PostgreSQL a second writer may have taken the number meanwhile: take the next one.
      .onConflict((conflict) => conflict.columns(["deliveryId", "seq"]).doNothing())
      .returning("seq")
      .executeTakeFirst();
    if (row !== undefined) return row.seq;
  }
}

/** A delivery's log from `fromSeq` on, in order. Empty: nothing more yet. */
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

/** The seq of the last chunk of a delivery's log; 0: there is none. */
export async function lastLogSeq(ledger: Db, deliveryId: string): Promise<number> {
  const row = await ledger.db
    .selectFrom("logs")
    .select(sql<number>`coalesce(max(seq), 0)`.as("seq"))
    .where("deliveryId", "=", deliveryId)
    .executeTakeFirstOrThrow();
  return row.seq;
}

/** What a delivery's log comes to, in bytes of text. */
export async function logBytes(ledger: Db, deliveryId: string): Promise<number> {
  const row = await ledger.db
    .selectFrom("logs")
    .select(sql<number>`cast(coalesce(sum(bytes), 0) as bigint)`.as("bytes"))
    .where("deliveryId", "=", deliveryId)
    .executeTakeFirstOrThrow();
  return row.bytes;
}
