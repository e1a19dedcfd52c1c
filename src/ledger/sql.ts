import { type ExpressionBuilder, type RawBuilder, type StringReference, sql } from "kysely";
import type { Db } from "./ledger.ts";

/** The database's clock in ms since the epoch. Leases and delays use only this clock: those of processes may differ. */
export function now(db: Db): RawBuilder<number> {
  return db.dialect === "sqlite"
    ? sql<number>`cast(round(unixepoch('subsec') * 1000) as integer)`
    : sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`;
}

/** The current time of the database's clock, in ms since the epoch. */
export async function storeTime(db: Db): Promise<number> {
  return (await db.db.selectNoFrom(now(db).as("at")).executeTakeFirstOrThrow()).at;
}

/** The time in `ms` from now by the database's clock; null for null. */
export function fromNow(db: Db, ms: number | null): RawBuilder<number> | null {
  return ms === null ? null : sql<number>`${now(db)} + ${integer(ms)}`;
}

/**
 * An integer parameter, for places where PostgreSQL takes a bare parameter for text, such as an insert's select list.
 */
export function integer(value: number): RawBuilder<number> {
  return sql<number>`cast(${Math.round(value)} as bigint)`;
}

export function startsWith<DB, TB extends keyof DB>(
  eb: ExpressionBuilder<DB, TB>,
  column: StringReference<DB, TB>,
  prefix: string,
) {
  return eb(eb.fn<string>("substr", [eb.ref(column), sql.lit(1), sql.lit(prefix.length)]), "=", prefix);
}

/** Splits rows for inserts: databases limit the parameters of one statement (SQLite: 32,766). */
export function* chunks<T>(items: readonly T[], size = 500): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
