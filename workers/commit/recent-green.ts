import { BoundedCache } from "../../src/async/bounded-cache.ts";
import type { RepoId, Sha } from "../../src/delivery/types.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { attemptsOf } from "../../src/ledger/leases.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import type { Station } from "../station.ts";

/**
 * A delivery may rest on a green gate that was read this long ago (ms): its names follow within the time of an upload.
 */
const MAX_GREEN_AGE_MS = 5_000;
const COMMITS_KEPT = 1_000;

/** By commit: when its last evaluation that found the gate green began to read, by the store's clock. */
export function openRecentGreen(): BoundedCache<number> {
  return new BoundedCache(COMMITS_KEPT, MAX_GREEN_AGE_MS);
}

/** @param began when the evaluation began to read, by the store's clock */
export function recordGreen(
  { recentGreen }: Pick<Station, "recentGreen">,
  repo: RepoId,
  sha: Sha,
  began: number,
): void {
  recentGreen.set(`${repo} ${sha}`, began);
}

/**
 * Whether the evaluation that queued this delivery has already read the gate after the bytes were frozen. It has where
 * everything was prepared ahead, while CI ran.
 * @param fence of the attempt that asks, which has frozen nothing itself
 */
export async function wasRecentlyGreen(
  { recentGreen, ledger }: Pick<Station, "recentGreen" | "ledger">,
  { id, repoId, sha }: Pick<Delivery, "id" | "repoId" | "sha">,
  fence: number,
): Promise<boolean> {
  const began = recentGreen.get(`${repoId} ${sha}`);
  if (began === undefined || (await storeTime(ledger)) - began > MAX_GREEN_AGE_MS) return false;
  const earlier = (await attemptsOf(ledger, id)).filter((attempt) => attempt.fence !== fence);
  return earlier.length > 0 && earlier.every(({ endedAt }) => endedAt !== null && endedAt < began);
}
