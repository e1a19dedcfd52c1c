import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/**
 * The entries of `repos` that have a baseline. A baseline means: the refs of the entry's repos were read once, and the
 * commits they pointed to count as old.
 */
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

/** Deletes a baseline. @returns whether it existed */
export async function removeBaseline(ledger: Db, entry: string): Promise<boolean> {
  const there = await ledger.db.selectFrom("baselines").select("at").where("entry", "=", entry).executeTakeFirst();
  if (there !== undefined) await ledger.db.deleteFrom("baselines").where("entry", "=", entry).execute();
  return there !== undefined;
}
