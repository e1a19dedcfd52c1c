import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/** Entries of `repos` that have been looked at once. */
export async function baselinedEntries(ledger: Db): Promise<Set<string>> {
  const rows = await ledger.db.selectFrom("baselines").select("entry").execute();
  return new Set(rows.map((row) => row.entry));
}

export async function recordBaseline(ledger: Db, entry: string): Promise<void> {
  await ledger.db
    .insertInto("baselines")
    .values({ entry, at: now(ledger) })
    .onConflict((conflict) => conflict.column("entry").doNothing())
    .execute();
}

/** Forgets a note. @returns whether it was there */
export async function removeBaseline(ledger: Db, entry: string): Promise<boolean> {
  const there = await ledger.db.selectFrom("baselines").select("at").where("entry", "=", entry).executeTakeFirst();
  if (there !== undefined) await ledger.db.deleteFrom("baselines").where("entry", "=", entry).execute();
  return there !== undefined;
}
