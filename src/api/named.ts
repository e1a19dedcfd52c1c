import type { RepoId } from "../delivery/types.ts";
import { compareVersions, isStable } from "../delivery/version.ts";
import type { Ledger } from "../ledger/ledger.ts";
import {
  findRelease,
  getRelease,
  type Release,
  type VersionOfArtifact,
  versionsOfArtifact,
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
  const all = await versionsOfArtifact(ledger, artifact, repoId);
  const repos = [...new Set(all.map((each) => each.repoId))];
  const ids = repos.map((repo) => latest(all.filter((each) => each.repoId === repo)));
  const releases = await Promise.all(ids.map((id) => getRelease(ledger, id)));
  return releases.filter((release) => release !== null);
}

function latest(versions: VersionOfArtifact[]): string {
  const stable = versions.filter((each) => each.tagged && isStable(each.version));
  const best =
    stable.length > 0
      ? stable.toSorted((a, b) => compareVersions(b.version, a.version))[0]
      : versions.toSorted((a, b) => b.committedAt - a.committedAt)[0];
  return best?.releaseId ?? "";
}
