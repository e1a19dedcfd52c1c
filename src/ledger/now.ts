import { OPEN_STATES } from "../delivery/delivery-states.ts";
import type { DeliveryState, RepoId, Sha } from "../delivery/types.ts";
import { type Delivery, toDelivery } from "./deliveries.ts";
import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/** Deliveries that are not finished, the newest first. */
export async function openDeliveries(ledger: Db, limit: number): Promise<Delivery[]> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .selectAll()
    .where("state", "in", OPEN_STATES)
    .orderBy("createdAt", "desc")
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
  return rows.map(toDelivery);
}

/** Deliveries that failed in the last `age` ms, and that no newer delivery of the same ref has put right. */
export async function unresolvedFailures(ledger: Db, age: number, limit: number): Promise<Delivery[]> {
  const rows = await ledger.db
    .selectFrom("deliveries as d")
    .selectAll("d")
    .where("d.state", "=", "failed")
    .where((eb) => eb("d.createdAt", ">=", eb(now(ledger), "-", age)))
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom("deliveries as newer")
            .select("newer.id")
            .whereRef("newer.repoId", "=", "d.repoId")
            .where("newer.state", "=", "delivered")
            .whereRef("newer.createdAt", ">", "d.createdAt")
            .whereRef("newer.ref", "=", "d.ref"),
        ),
      ),
    )
    .orderBy("d.createdAt", "desc")
    .orderBy("d.id", "desc")
    .limit(limit)
    .execute();
  return rows.map(toDelivery);
}

/** Names that somebody else changed in the last `age` ms, the newest first. */
export function recentAlarms(
  ledger: Db,
  age: number,
  limit: number,
): Promise<{ repoId: RepoId; sha: Sha; at: number; because: string }[]> {
  return ledger.db
    .selectFrom("decisions")
    .select(["repoId", "sha", "at", "because"])
    .where("action", "=", "alarm")
    .where((eb) => eb("at", ">=", eb(now(ledger), "-", age)))
    .orderBy("at", "desc")
    .limit(limit)
    .execute();
}

/** What became of a delivery, and how long it took. */
export type Bar = Pick<Delivery, "id" | "state" | "startedAt" | "finishedAt" | "createdAt">;

/** The last deliveries of the repos that were active last; each repo's oldest first. Ignored commits do not count. */
export async function barsOfRepos(ledger: Db, repos: number, bars: number): Promise<{ repoId: RepoId; bars: Bar[] }[]> {
  const active = await ledger.db
    .selectFrom("repos")
    .select("id")
    .where("servedAt", ">", 0)
    .orderBy("servedAt", "desc")
    .orderBy("id")
    .limit(repos)
    .execute();
  const found: { repoId: RepoId; bars: Bar[] }[] = [];
  for (const { id: repoId } of active) {
    const rows = await ledger.db
      .selectFrom("deliveries")
      .select(["id", "state", "startedAt", "finishedAt", "createdAt"])
      .where("repoId", "=", repoId)
      .where("state", "!=", "ignored" satisfies DeliveryState)
      .orderBy("createdAt", "desc")
      .limit(bars)
      .execute();
    found.push({ repoId, bars: rows.reverse() });
  }
  return found;
}

/** How long the last deliveries took from their start to their end (ms): the median. Null: there is none. */
export async function medianDuration(ledger: Db): Promise<number | null> {
  const rows = await ledger.db
    .selectFrom("deliveries")
    .select(["startedAt", "finishedAt"])
    .where("state", "=", "delivered")
    .orderBy("createdAt", "desc")
    .limit(50)
    .execute();
  const durations = rows
    .flatMap(({ startedAt, finishedAt }) => (startedAt === null || finishedAt === null ? [] : [finishedAt - startedAt]))
    .sort((a, b) => a - b);
  return durations[Math.floor(durations.length / 2)] ?? null;
}
