import { type Selectable, sql } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

export type StoredDecision = Selectable<Schema["decisions"]>;
export type NewDecision = Pick<StoredDecision, "action" | "because">;

/** Inserts a decision if it differs from the commit's last one. @returns whether it was inserted */
export async function recordDecision(ledger: Db, repoId: RepoId, sha: Sha, decision: NewDecision): Promise<boolean> {
  const { action, because } = decision;
  const result = await ledger.db
    .insertInto("decisions")
    .columns(["repoId", "sha", "at", "action", "because"])
    .expression(
      ledger.db
        .selectNoFrom([
          sql`cast(${repoId} as text)`.as("repoId"),
          sql`cast(${sha} as text)`.as("sha"),
          now(ledger).as("at"),
          sql`cast(${action} as text)`.as("action"),
          sql`cast(${because} as text)`.as("because"),
        ])
        .where((eb) => eb.not(eb.exists(lastIs(ledger, repoId, sha, decision)))),
    )
    .executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0n) > 0;
}

function lastIs(ledger: Db, repoId: RepoId, sha: Sha, { action, because }: NewDecision) {
  const last = ledger.db
    .selectFrom("decisions")
    .select(["action", "because"])
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .orderBy("id", "desc")
    .limit(1);
  return ledger.db
    .selectFrom(last.as("last"))
    .select("last.action")
    .where("last.action", "=", action)
    .where("last.because", "=", because);
}

/** The newest 500 decisions about a commit, oldest first. */
export async function decisionsOf(ledger: Db, repoId: RepoId, sha: Sha): Promise<StoredDecision[]> {
  const rows = await ledger.db
    .selectFrom("decisions")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .orderBy("id", "desc")
    .limit(500)
    .execute();
  return rows.reverse();
}
