import type { Sha } from "../../src/delivery/types.ts";
import { baseTag, isUntaggedOf, untaggedVersion, versionsOf } from "../../src/delivery/version.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { listReleases } from "../../src/ledger/releases.ts";
import { claimedVersions, versionsOfOthers } from "../../src/ledger/versions.ts";
import type { Station } from "../station.ts";

type Parts = Pick<Station, "ledger">;

/** The versions that a commit has, or will have: the first is that of its first prepare, where it is still its own. */
export async function versionsOfCommit(
  { ledger }: Parts,
  mirror: Mirror,
  { repoId, sha, version: first }: Pick<Delivery, "repoId" | "sha" | "version">,
): Promise<string[]> {
  if (first === null) return versionsFromGit(mirror, sha);
  const tagged = versionsOf(await mirror.tagsOn(sha));
  const isOwn = tagged.includes(first) || isUntaggedOf(first, sha);
  // A tag may have been taken away before anything was released under it.
  if (isOwn || (await isReleased(ledger, repoId, sha, first)))
    return [first, ...tagged.filter((version) => version !== first)];
  return versionsFromGit(mirror, sha);
}

/** The versions that a commit has if it was never prepared before. */
export async function versionsFromGit(mirror: Mirror, sha: Sha): Promise<string[]> {
  const tagged = versionsOf(await mirror.tagsOn(sha));
  if (tagged.length > 0) return tagged;
  const base = baseTag(await mirror.tagsReachable(sha));
  return [untaggedVersion(base, await mirror.count(base, sha), sha)];
}

async function isReleased(ledger: Station["ledger"], repoId: string, sha: Sha, version: string) {
  const { items } = await listReleases(ledger, { repoId, sha, limit: 200 });
  return items.some(({ versions }) => versions.includes(version));
}

/** The same without versions of other commits, where a git tag gives this commit a version of its own. */
export async function ownVersions(station: Parts, mirror: Mirror, delivery: Delivery): Promise<string[]> {
  const { repoId, sha } = delivery;
  const versions = await versionsOfCommit(station, mirror, delivery);
  const foreign = await versionsOfOthers(station.ledger, repoId, sha, versions);
  const own = versions.filter((version) => !foreign.has(version));
  const tagged = versionsOf(await mirror.tagsOn(sha));
  return own.some((version) => tagged.includes(version)) ? own : versions;
}

/** Does a git tag give the commit a version that no attempt at it knew, and that it may have? */
export async function hasNewVersion(
  { ledger }: Parts,
  mirror: Mirror,
  { repoId, sha }: Pick<Delivery, "repoId" | "sha">,
): Promise<boolean> {
  const tagged = versionsOf(await mirror.tagsOn(sha));
  if (tagged.length === 0) return false;
  const known = await claimedVersions(ledger, repoId, sha);
  const foreign = await versionsOfOthers(ledger, repoId, sha, tagged);
  return tagged.some((version) => !known.includes(version) && !foreign.has(version));
}
