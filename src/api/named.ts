import type { RepoId } from "../delivery/types.ts";
import { compareVersions, isStable } from "../delivery/version.ts";
import type { Ledger } from "../ledger/ledger.ts";
import {
  findRelease,
  getRelease,
  newestCommitted,
  type Release,
  reposWithArtifact,
  taggedVersions,
} from "../ledger/releases.ts";

/**
 * The releases that a person means by an artifact and a version: one for each repo that has it. `latest` is the highest
 * version tag that is no pre-release, before the first one the newest commit.
 */
export async function releaseNamed(
  ledger: Ledger,
  artifact: string,
  version: string,
  repoId?: RepoId,
): Promise<Release[]> {
  if (version !== "latest") return findRelease(ledger, artifact, version.replace(/^v(?=\d)/, ""), repoId);
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
  const stable = (await taggedVersions(ledger, repoId, artifact)).filter((each) => isStable(each.version));
  const [highest] = stable.sort((a, b) => compareVersions(b.version, a.version));
  return highest?.releaseId ?? newestCommitted(ledger, repoId, artifact);
}
