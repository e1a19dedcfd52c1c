import { sql } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import { statusLane } from "./outbox.ts";
import { fromNow } from "./sql.ts";

/**
 * Makes the statuses of a commit due once more as they are. A host that was asked to run a check again may show it as
 * pending until it hears of it, also where nothing is run.
 */
export async function repeatStatuses(tx: Tx, repoId: RepoId, sha: Sha): Promise<void> {
  await sentStatuses(tx).where("repoId", "=", repoId).where("sha", "=", sha).execute();
}

/**
 * Makes statuses due once more that a host has shown as pending for so long.
 * @param host its key
 * @param ms since they were sent
 */
export async function repeatPendingStatuses(ledger: Db, host: string, ms: number): Promise<number> {
  const { numUpdatedRows } = await sentStatuses(ledger)
    .where("lane", "=", statusLane(`${host}:`))
    .where("sentAt", "<=", fromNow(ledger, -ms))
    .where("payload", "like", '%"state":"pending"%')
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

function sentStatuses(ledger: Db) {
  return ledger.db
    .updateTable("outbox")
    .set({ state: "unsent", retryAt: null })
    .where("kind", "=", sql.lit("status"))
    .where("state", "=", sql.lit("sent"));
}
