import { quoted } from "../delivery/printable.ts";
import { BRANCHES } from "../delivery/refs.ts";
import type { RepoId } from "../delivery/types.ts";
import { highestVersion, isStable } from "../delivery/version.ts";
import { describeReleases } from "../ledger/describe-release.ts";
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
import { Problem } from "../receiver/problem.ts";
import type { ApiOptions } from "./options.ts";
import { repoFilter } from "./queried-repo.ts";
import { whyNoRepo } from "./why-unknown.ts";

/** An answer lists at most this many releases that a name may mean. */
const MAX_CANDIDATES = 10;

/**
 * The releases of an artifact with this version; one for each repo that has one, and at most `MAX_CANDIDATES + 1`. The version may begin with `v`.
 * `latest` means what a registry's `latest` tag means: the highest stable version, or, if there is none, the newest
 * commit of the default branch.
 */
export async function findReleasesByVersion(
  ledger: Ledger,
  artifact: string,
  version: string,
  repoId?: RepoId,
): Promise<Release[]> {
  if (version !== "latest")
    return findReleases(ledger, artifact, version.replace(/^v(?=\d)/, ""), repoId, MAX_CANDIDATES + 1);
  const repos = repoId === undefined ? await reposWithArtifact(ledger, artifact) : [repoId];
  const releases: Release[] = [];
  for (const repo of repos) {
    if (releases.length > MAX_CANDIDATES) break;
    const id = await latestRelease(ledger, repo, artifact);
    const release = id === null ? null : await getRelease(ledger, id);
    if (release !== null) releases.push(release);
  }
  return releases;
}

/**
 * The release of an artifact with this version.
 * @param repo as a person writes it; undefined: any
 * @throws Problem 404 if there is no such release, 409 if several repos have one
 */
export async function requireRelease(
  { ledger, isConfigured }: Pick<ApiOptions, "ledger" | "isConfigured">,
  { artifact, version }: { artifact: string; version: string },
  repo: string | undefined,
): Promise<Release> {
  const filter = await repoFilter(ledger, repo);
  if (filter === null) {
    const because = whyNoRepo(repo ?? "", isConfigured(repo ?? ""));
    throw new Problem(404, `There is no repo ${quoted(repo ?? "")} here: ${because}.`);
  }
  const found = await findReleasesByVersion(ledger, artifact, version, filter.repoId);
  const [only, ...others] = found;
  if (only === undefined) throw new Problem(404, noRelease(artifact, version));
  if (others.length === 0) return only;
  const candidates = await describeReleases(ledger, found.slice(0, MAX_CANDIDATES));
  const repos = candidates.map((each) => each.repo).join(", ");
  const more = found.length > MAX_CANDIDATES ? ", and more" : "";
  const detail = `Several repos have a release ${artifact} ${version}. Choose one with ?repo=: ${repos}${more}.`;
  throw new Problem(409, detail, {}, { candidates: candidates.map(({ repo, sha }) => ({ repo, sha })) });
}

function noRelease(artifact: string, version: string): string {
  const name = JSON.stringify(artifact);
  const what =
    version === "latest"
      ? `${name} has no latest release: deliverd released nothing of it, or not its highest version.`
      : `${name} has no release ${JSON.stringify(version)}.`;
  return `${what} List its releases with ?artifact=, or with deliverd releases --artifact.`;
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
