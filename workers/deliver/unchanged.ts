import { findUnchangedSince } from "../../src/delivery/history.ts";
import type { ArtifactPlan } from "../../src/delivery/types.ts";
import { commitsInProgress, releasedVersions } from "../../src/ledger/released-commits.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";

/**
 * The version of the nearest release that this commit does not change; null if it changes the artifact, or has released
 * it.
 */
export async function unchangedSince(
  { ledger }: Pick<Station, "ledger">,
  { mirror, repo, commit }: Pick<Work, "mirror" | "repo" | "commit">,
  { name, paths }: ArtifactPlan,
): Promise<string | null> {
  if (paths.length === 0) return null;
  const steps = await mirror.history(commit.sha, paths);
  const versions = await releasedVersions(ledger, { repoId: repo.id, artifact: name }, [...steps.keys()]);
  if (versions.has(commit.sha)) return null;
  const underWay = new Set(await commitsInProgress(ledger, repo.id));
  const [nearest] = findUnchangedSince(commit.sha, { steps, released: new Set(versions.keys()), underWay }) ?? [];
  return nearest === undefined ? null : (versions.get(nearest) ?? null);
}
