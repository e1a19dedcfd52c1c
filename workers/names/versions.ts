import { Refused } from "../../src/delivery/errors.ts";
import type { Repo, Sha } from "../../src/delivery/types.ts";
import { baseTag, untaggedVersion, versionsOf } from "../../src/delivery/version.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { claimVersion } from "../../src/ledger/versions.ts";
import type { Station } from "../station.ts";

/** The versions of a commit, first the one that it was first prepared under; every one is claimed for it. */
export async function claimVersions(
  station: Station,
  repo: Repo,
  mirror: Mirror,
  delivery: Delivery,
): Promise<string[]> {
  const versions = await versionsOfCommit(mirror, delivery.sha, delivery.version);
  for (const version of versions) {
    const claim = await claimVersion(station.ledger, repo.id, version, delivery.sha);
    if ("belongsTo" in claim) {
      throw new Refused(
        "version-taken",
        `${version} belongs to ${claim.belongsTo}: a version is never given to a second commit. Tag this one with a new version.`,
      );
    }
  }
  return versions;
}

/** @param first the version that was decided at the first prepare, null before it */
export async function versionsOfCommit(mirror: Mirror, sha: Sha, first: string | null): Promise<string[]> {
  const tagged = versionsOf(await mirror.tagsOn(sha));
  if (first !== null) return [first, ...tagged.filter((version) => version !== first)];
  if (tagged.length > 0) return tagged;
  const base = baseTag(await mirror.tagsReachable(sha));
  return [untaggedVersion(base, await mirror.count(base, sha), sha)];
}
