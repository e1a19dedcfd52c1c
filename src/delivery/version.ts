import semver from "semver";
import { MAX_TAG_LENGTH } from "./oci-names.ts";
import type { Sha } from "./types.ts";

/**
 * The version a git tag stands for, or null. A version tag is `v` (or nothing) and a semantic version. Build metadata
 * (`1.2.3+build`) is no part of one here: precedence ignores it and an OCI tag cannot hold a `+`, so two such tags would
 * fight for one name. Nor is anything that an OCI tag could not hold for its length (128).
 */
export function versionTag(tag: string): string | null {
  const version = /^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag)?.[1];
  return version !== undefined && version.length <= MAX_TAG_LENGTH && semver.valid(version) === version
    ? version
    : null;
}

/** True for a version without a pre-release part. */
export function isStable(version: string): boolean {
  return semver.prerelease(version) === null;
}

/** Ascending by precedence, as `Array.sort` wants it. */
function compareVersions(a: string, b: string): number {
  return semver.compare(a, b);
}

export function majorMinor(version: string): { major: string; minor: string } {
  return { major: String(semver.major(version)), minor: String(semver.minor(version)) };
}

/** Every version that tags put on a commit, highest first, each once. */
export function versionsOf(tagsOnCommit: string[]): string[] {
  const versions = tagsOnCommit.map(versionTag).filter((version) => version !== null);
  return [...new Set(versions)].sort((a, b) => compareVersions(b, a));
}

/** Null: there is none. */
export function highestVersion(versions: string[]): string | null {
  return versions.reduce<string | null>(
    (best, each) => (best === null || compareVersions(each, best) > 0 ? each : best),
    null,
  );
}

/** The tag of the highest version, as it is written; pre-release tags do not count. Null: there is none. */
export function highestVersionTag(tags: string[]): string | null {
  const highest = highestVersion(versionsOf(tags).filter(isStable));
  return tags.toSorted().find((tag) => highest !== null && versionTag(tag) === highest) ?? null;
}

/** The tag from which an untagged commit is counted: `git rev-list --count <tag>..<sha>`, all of its ancestry where null. */
export function baseTag(reachableTags: string[]): string | null {
  return highestVersionTag(reachableTags);
}

/**
 * The version of a commit that bears no version tag: a pre-release of the next patch, so that it sorts above its base
 * and below the next release. The `g` keeps an all-digit hash with a leading zero a valid identifier (semver §9).
 */
export function untaggedVersion(base: string | null, count: number, sha: Sha): string {
  const from = base === null ? "0.0.0" : versionTag(base);
  if (from === null) throw new TypeError(`not a version tag: ${base}`);
  return `${semver.inc(from, "patch")}-${count}.g${sha.slice(0, 7)}`;
}

/** Whether `untaggedVersion` gave it to this commit, whatever its base was then. */
export function isUntaggedOf(version: string, sha: Sha): boolean {
  return version.endsWith(`.g${sha.slice(0, 7)}`);
}
