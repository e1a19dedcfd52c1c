import { BoundedCache } from "../../src/async/bounded-cache.ts";
import type { Evidence } from "../../src/delivery/proof/evidence.ts";
import type { RepoId, Sha } from "../../src/delivery/types.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { attemptsOf } from "../../src/ledger/leases.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { hasNewsSince } from "../../src/ledger/watermark.ts";
import type { RecentGreen, Station } from "../station.ts";

/**
 * A delivery may rest on a green gate that was read this long ago (ms): its names follow within the time of an upload.
 */
const MAX_GREEN_AGE_MS = 5_000;
const COMMITS_KEPT = 1_000;

/** By commit: the last evaluation that found the gate green. */
export function openRecentGreen(): BoundedCache<RecentGreen> {
  return new BoundedCache(COMMITS_KEPT, MAX_GREEN_AGE_MS);
}

export function recordGreen(
  { recentGreen }: Pick<Station, "recentGreen">,
  repo: RepoId,
  sha: Sha,
  green: RecentGreen,
): void {
  recentGreen.set(`${repo} ${sha}`, green);
}

/**
 * The evidence of the evaluation that queued this delivery, if it has read the gate after the bytes were frozen. It has
 * where everything was prepared ahead, while CI ran. A hint that came since may say that CI is red by now.
 * @param fence of the attempt that asks, which has frozen nothing itself
 * @returns null: the gate has to be read again
 */
export async function recentEvidence(
  { recentGreen, ledger }: Pick<Station, "recentGreen" | "ledger">,
  { id, repoId, sha }: Pick<Delivery, "id" | "repoId" | "sha">,
  fence: number,
): Promise<Evidence | null> {
  const green = recentGreen.get(`${repoId} ${sha}`);
  if (green === undefined) return null;
  const { seen, evidence } = green;
  if ((await storeTime(ledger)) - seen.refsReadAt > MAX_GREEN_AGE_MS) return null;
  if (await hasNewsSince(ledger, repoId, sha, seen)) return null;
  const earlier = (await attemptsOf(ledger, id)).filter((attempt) => attempt.fence !== fence);
  const isAfter = earlier.every(({ endedAt }) => endedAt !== null && endedAt < seen.refsReadAt);
  return earlier.length > 0 && isAfter ? evidence : null;
}
