import { BoundedCache } from "../../src/async/bounded-cache.ts";
import type { RepoId, Sha } from "../../src/delivery/types.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { attemptsOf } from "../../src/ledger/leases.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { hasNewsSince, type Watermark } from "../../src/ledger/watermark.ts";
import type { Station } from "../station.ts";

/**
 * A delivery may rest on a green gate that was read this long ago (ms): its names follow within the time of an upload.
 */
const MAX_GREEN_AGE_MS = 5_000;
const COMMITS_KEPT = 1_000;

/** By commit: what its last evaluation that found the gate green had seen when it began to read. */
export function openRecentGreen(): BoundedCache<Watermark> {
  return new BoundedCache(COMMITS_KEPT, MAX_GREEN_AGE_MS);
}

/** @param seen what there was when the evaluation began to read: `refsReadAt` is that moment */
export function recordGreen(
  { recentGreen }: Pick<Station, "recentGreen">,
  repo: RepoId,
  sha: Sha,
  seen: Watermark,
): void {
  recentGreen.set(`${repo} ${sha}`, seen);
}

/**
 * Whether the evaluation that queued this delivery has already read the gate after the bytes were frozen. It has where
 * everything was prepared ahead, while CI ran. A hint that came since may say that CI is red by now.
 * @param fence of the attempt that asks, which has frozen nothing itself
 */
export async function wasRecentlyGreen(
  { recentGreen, ledger }: Pick<Station, "recentGreen" | "ledger">,
  { id, repoId, sha }: Pick<Delivery, "id" | "repoId" | "sha">,
  fence: number,
): Promise<boolean> {
  const seen = recentGreen.get(`${repoId} ${sha}`);
  if (seen === undefined || (await storeTime(ledger)) - seen.refsReadAt > MAX_GREEN_AGE_MS) return false;
  if (await hasNewsSince(ledger, repoId, sha, seen)) return false;
  const earlier = (await attemptsOf(ledger, id)).filter((attempt) => attempt.fence !== fence);
  return earlier.length > 0 && earlier.every(({ endedAt }) => endedAt !== null && endedAt < seen.refsReadAt);
}
