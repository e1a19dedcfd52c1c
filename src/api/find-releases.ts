import { BRANCHES } from "../delivery/refs.ts";
import type { RepoId } from "../delivery/types.ts";
import { highestVersion, isStable } from "../delivery/version.ts";
import { getLatestRelease } from "../ledger/latest-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import {
  findReleases,
  getRelease,
  newestReleaseOnRef,
  type Release,
  reposWithArtifact,
  taggedVersions,
} from "../ledger/releases.ts";
import { getRepo } from "../ledger/repos.ts";

/**
 * The releases that a person means by an artifact and a version: one for each repo that has it. `latest` is what a
 * registry's `latest` follows: the highest version, before the first one the newest of the default branch.
 */
export async function findReleasesByVersion(
  ledger: Ledger,
  artifact: string,
  version: string,
  repoId?: RepoId,
): Promise<Release[]> {
  if (version !== "latest") return findReleases(ledger, artifact, version.replace(/^v(?=\d)/, ""), repoId);
  const repos = repoId === undefined ? await reposWithArtifact(ledger, artifact) : [repoId];
  const releases: Release[] = [];
  for (const repo of repos) {
    const id = await latest(ledger, repo, artifact);
    const release = id === null ? null : await getRelease(ledger, id);
    if (release !== null) releases.push(release);
  }
  return releases;
}

async function latest(ledger: Ledger, repoId: RepoId, artifact: string): Promise<string | null> {
  const noted = await getLatestRelease(ledger, repoId, artifact);
  switch (noted.kind) {
    case "recorded":
      return noted.releaseId;
    case "unknown":
      return latestOfLedger(ledger, repoId, artifact);
  }
}

/** By what the ledger knows alone, where no worker has looked at the repo's refs since its first release. */
async function latestOfLedger(ledger: Ledger, repoId: RepoId, artifact: string): Promise<string | null> {
  const tagged = await taggedVersions(ledger, repoId, artifact);
  const highest = highestVersion(tagged.map(({ version }) => version).filter(isStable));
  if (highest !== null) return tagged.find(({ version }) => version === highest)?.releaseId ?? null;
  const branch = (await getRepo(ledger, repoId))?.defaultBranch ?? "main";
  return newestReleaseOnRef(ledger, repoId, artifact, BRANCHES + branch);
}
