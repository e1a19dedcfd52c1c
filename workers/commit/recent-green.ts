import type { RepoId, Sha } from "../../src/delivery/types.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { attemptsOf } from "../../src/ledger/leases.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import type { Station } from "../station.ts";

/** So long a look may be past for a delivery to rest on it (ms): the names follow it within the time of an upload anyway. */
const JUST_NOW = 5_000;
const KEPT = 1_000;

/** By station: when each commit's last look began that found it green, by the store's clock. */
const looks = new WeakMap<Station, Map<string, number>>();

/** @param began when the look began to read, by the store's clock */
export function recordGreen(station: Station, repo: RepoId, sha: Sha, began: number): void {
  const known = looks.get(station) ?? new Map<string, number>();
  looks.set(station, known);
  if (known.size >= KEPT) known.clear();
  known.set(`${repo} ${sha}`, began);
}

/**
 * The light is read once more after the bytes are frozen. For what was prepared ahead, the evaluation that queued it has
 * done just that.
 * @param fence of the attempt that asks, which has frozen nothing itself
 */
export async function wasRecentlyGreen(
  station: Station,
  { id, repoId, sha }: Delivery,
  fence: number,
): Promise<boolean> {
  const began = looks.get(station)?.get(`${repoId} ${sha}`);
  if (began === undefined || (await storeTime(station.ledger)) - began > JUST_NOW) return false;
  const earlier = (await attemptsOf(station.ledger, id)).filter((attempt) => attempt.fence !== fence);
  return earlier.length > 0 && earlier.every(({ endedAt }) => endedAt !== null && endedAt < began);
}
