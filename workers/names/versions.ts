import { Refused, TransientError } from "../../src/delivery/errors.ts";
import type { Repo, Sha } from "../../src/delivery/types.ts";
import { baseTag, isUntaggedOf, untaggedVersion, versionsOf } from "../../src/delivery/version.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { listReleases } from "../../src/ledger/releases.ts";
import { claimedVersions, claimVersion, versionsOfOthers } from "../../src/ledger/versions.ts";
import type { Station } from "../station.ts";

type Ledger = Pick<Station, "ledger">;

/**
 * The versions of a commit, first the one that it was first prepared under; every one is claimed for it. One that belongs to
 * another commit is left out where a git tag gives this one a version of its own.
 * @throws Refused `version-taken`, TransientError `version-busy`
 */
export async function claimVersions(
  station: Ledger,
  repo: Repo,
  mirror: Mirror,
  delivery: Delivery,
): Promise<string[]> {
  const { ledger } = station;
  const tagged = versionsOf(await mirror.tagsOn(delivery.sha));
  const own: string[] = [];
  let lost: { version: string; belongsTo: Sha } | null = null;
  for (const version of await versionsOfCommit(station, mirror, delivery)) {
    const claim = await claimVersion(ledger, repo.id, version, delivery.sha);
    switch (claim.kind) {
      case "claimed":
        own.push(version);
        break;
      case "busy":
        throw versionBusy(version, claim.belongsTo);
      case "taken":
        lost ??= { version, belongsTo: claim.belongsTo };
    }
  }
  if (lost !== null && !own.some((version) => tagged.includes(version))) {
    throw new Refused(
      "version-taken",
      `${lost.version} belongs to ${lost.belongsTo}: a version is never given to a second commit. Tag this one with a new version.`,
    );
  }
  return own;
}

function versionBusy(version: string, sha: Sha): TransientError {
  return new TransientError(
    "version-busy",
    `${version} is being delivered of ${sha}, from which its git tag was moved`,
  );
}

/** The versions that a commit bears now, or will: the first is that of its first prepare, where that is its own still. */
export async function versionsOfCommit(
  { ledger }: Ledger,
  mirror: Mirror,
  { repoId, sha, version: first }: Pick<Delivery, "repoId" | "sha" | "version">,
): Promise<string[]> {
  const tagged = versionsOf(await mirror.tagsOn(sha));
  const isOwn = first !== null && (tagged.includes(first) || isUntaggedOf(first, sha));
  // A tag may have been taken away before anything was released under it.
  if (first !== null && (isOwn || (await isReleased(ledger, repoId, sha, first))))
    return [first, ...tagged.filter((version) => version !== first)];
  if (tagged.length > 0) return tagged;
  const base = baseTag(await mirror.tagsReachable(sha));
  return [untaggedVersion(base, await mirror.count(base, sha), sha)];
}

async function isReleased(ledger: Station["ledger"], repoId: string, sha: Sha, version: string) {
  const { items } = await listReleases(ledger, { repoId, sha, limit: 200 });
  return items.some(({ versions }) => versions.includes(version));
}

/** The same, but for what another commit has, where a git tag gives this one a version of its own. */
export async function ownVersions(station: Ledger, mirror: Mirror, delivery: Delivery): Promise<string[]> {
  const { repoId, sha } = delivery;
  const versions = await versionsOfCommit(station, mirror, delivery);
  const foreign = await versionsOfOthers(station.ledger, repoId, sha, versions);
  const own = versions.filter((version) => !foreign.has(version));
  const tagged = versionsOf(await mirror.tagsOn(sha));
  return own.some((version) => tagged.includes(version)) ? own : versions;
}

/** Does a git tag give the commit a version that no attempt at it knew, and that it may have? */
export async function hasNewVersion(
  { ledger }: Ledger,
  mirror: Mirror,
  { repoId, sha }: Pick<Delivery, "repoId" | "sha">,
): Promise<boolean> {
  const tagged = versionsOf(await mirror.tagsOn(sha));
  if (tagged.length === 0) return false;
  const known = await claimedVersions(ledger, repoId, sha);
  const foreign = await versionsOfOthers(ledger, repoId, sha, tagged);
  return tagged.some((version) => !known.includes(version) && !foreign.has(version));
}
