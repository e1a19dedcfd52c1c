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
 * The releases of an artifact with this version; one for each repo that has one. The version may begin with `v`.
 * `latest` means what a registry's `latest` tag means: the highest stable version, or, if there is none, the newest
 * commit of the default branch.
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
    const id = await latestRelease(ledger, repo, artifact);
    const release = id === null ? null : await getRelease(ledger, id);
    if (release !== null) releases.push(release);
  }
  return releases;
}

async function latestRelease(ledger: Ledger, repoId: RepoId, artifact: string): Promise<string | null> {
  const latest = await getLatestRelease(ledger, repoId, artifact);
  switch (latest.kind) {
    case "recorded":
      return latest.releaseId;
    case "unknown":
      return computeLatest(ledger, repoId, artifact);
  }
}

/** Computes `latest` from the ledger only, before a worker has recorded it. */
async function computeLatest(ledger: Ledger, repoId: RepoId, artifact: string): Promise<string | null> {
  const tagged = await taggedVersions(ledger, repoId, artifact);
  const highest = highestVersion(tagged.map(({ version }) => version).filter(isStable));
  if (highest !== null) return tagged.find(({ version }) => version === highest)?.releaseId ?? null;
  const branch = (await getRepo(ledger, repoId))?.defaultBranch ?? "main";
  return newestReleaseOnRef(ledger, repoId, artifact, BRANCHES + branch);
}
