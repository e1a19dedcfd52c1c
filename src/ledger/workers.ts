import type { Selectable } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

/** A worker that did not report for this long is gone. It reports every 10 s. */
const GONE_AFTER_MS = 60_000;

export type WorkerRow = Selectable<Schema["workers"]>;

/** What a worker works on. */
export interface WorkerTask {
  owner: string;
  deliveryId: string;
  repoId: RepoId;
  sha: Sha;
  state: string;
}

/** Records that a worker is there, and how its slots are used. Workers that are gone are forgotten. */
export async function reportWorker(ledger: Db, worker: Omit<WorkerRow, "startedAt" | "seenAt">): Promise<void> {
  const { machine, version, slots, busy, ahead } = worker;
  await ledger.db
    .insertInto("workers")
    .values({ ...worker, startedAt: now(ledger), seenAt: now(ledger) })
    .onConflict((conflict) =>
      conflict.column("owner").doUpdateSet({ machine, version, slots, busy, ahead, seenAt: now(ledger) }),
    )
    .execute();
  await ledger.db
    .deleteFrom("workers")
    .where((eb) => eb("seenAt", "<", eb(now(ledger), "-", GONE_AFTER_MS)))
    .execute();
}

/** Forgets a worker that ends. */
export async function removeWorker(ledger: Db, owner: string): Promise<void> {
  await ledger.db.deleteFrom("workers").where("owner", "=", owner).execute();
}

/** The workers that are there, in the order in which they started. */
export function listWorkers(ledger: Db): Promise<WorkerRow[]> {
  return ledger.db
    .selectFrom("workers")
    .selectAll()
    .where((eb) => eb("seenAt", ">=", eb(now(ledger), "-", GONE_AFTER_MS)))
    .orderBy("startedAt")
    .orderBy("owner")
    .execute();
}

/** The deliveries that workers hold a lease of now. */
export async function tasksOfWorkers(ledger: Db): Promise<WorkerTask[]> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .select(["leaseOwner", "id", "repoId", "sha", "state"])
    // This condition makes the database use the index of leased deliveries, which is small.
    .where("leaseOwner", "is not", null)
    .where((eb) => eb("leaseUntil", ">=", now(ledger)))
    .orderBy("createdAt")
    .orderBy("id")
    .execute();
  return rows.map(({ leaseOwner, id, repoId, sha, state }) => {
    return { owner: leaseOwner ?? "", deliveryId: id, repoId, sha, state };
  });
}
