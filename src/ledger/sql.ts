import { type ExpressionBuilder, type RawBuilder, type StringReference, sql } from "kysely";
import type { Db } from "./ledger.ts";

/** The store's clock in ms since the epoch. Leases and waits are judged by it alone: processes' clocks may differ. */
export function now(db: Db): RawBuilder<number> {
  return db.dialect === "sqlite"
    ? sql<number>`cast(round(unixepoch('subsec') * 1000) as integer)`
    : sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`;
}

/** What the store's clock says now, in ms since the epoch. */
export async function storeTime(db: Db): Promise<number> {
  return (await db.db.selectNoFrom(now(db).as("at")).executeTakeFirstOrThrow()).at;
}

/** The store's clock, so many ms from now; null stays null. */
export function fromNow(db: Db, ms: number | null): RawBuilder<number> | null {
  return ms === null ? null : sql<number>`${now(db)} + ${whole(ms)}`;
}

/** A parameter that PostgreSQL would otherwise take for text, as in the select list of an insert. */
export function whole(value: number): RawBuilder<number> {
  return sql<number>`cast(${Math.round(value)} as bigint)`;
}

export function startsWith<DB, TB extends keyof DB>(
  eb: ExpressionBuilder<DB, TB>,
  column: StringReference<DB, TB>,
  prefix: string,
) {
  return eb(eb.fn<string>("substr", [eb.ref(column), sql.lit(1), sql.lit(prefix.length)]), "=", prefix);
}

/** Databases limit the parameters of one statement (SQLite: 32,766): many rows go in so many at a time. */
export function* chunks<T>(items: readonly T[], size = 500): Generator<T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

/** One page of a list, newest first; `next` is handed back as the cursor of the following page, null at the end. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** Where a page ended: lists are sorted by time, then id. */
export interface Position {
  at: number;
  id: string;
}

/** Null for a cursor that is none of ours: the list then starts at its beginning. */
export function readCursor(cursor: string | null | undefined): Position | null {
  const match = /^(\d{1,15})\.([A-Za-z0-9_-]+)$/.exec(cursor ?? "");
  return match?.[1] && match[2] ? { at: Number(match[1]), id: match[2] } : null;
}

/** What readCursor reads. */
export function cursorOf({ at, id }: Position): string {
  return `${at}.${id}`;
}

/** Makes a page of rows of which one more than `limit` was asked for. */
export function pageOf<Row, T>(rows: Row[], limit: number, position: (row: Row) => Position, item: (row: Row) => T) {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const end = rows.length > limit && last !== undefined ? position(last) : null;
  const page: Page<T> = { items: shown.map(item), next: end && cursorOf(end) };
  return page;
}
