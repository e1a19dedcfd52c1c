import semver from "semver";
import { matchesAny } from "./glob.ts";
import { MAX_TAG_LENGTH } from "./oci-names.ts";
import type { Sha } from "./types.ts";

/**
 * The version of a git tag such as `v1.2.3` or `1.2.3`. Null: it is no version tag. A tag with build metadata
 * (`1.2.3+build`) is none: precedence ignores metadata and an OCI tag cannot contain `+`, so two such tags would want
 * one name. Nor is a version that is too long for an OCI tag.
 */
export function versionTag(tag: string): string | null {
  const version = /^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag)?.[1];
  return version !== undefined && version.length <= MAX_TAG_LENGTH && semver.valid(version) === version
    ? version
    : null;
}

/** The tags that the pipeline watches and that are no version, so that they give a commit no version. */
export function tagsWithoutVersion(tagsOnCommit: string[], watched: string[]): string[] {
  return tagsOnCommit.filter((tag) => versionTag(tag) === null && matchesAny(watched, tag));
}

/** Whether the version has no pre-release part. */
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

/** The versions of a commit's tags, highest first, each once. */
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

/** The tag of the highest version, as it is written. Pre-release tags do not count. Null: there is none. */
export function highestVersionTag(tags: string[]): string | null {
  const highest = highestVersion(versionsOf(tags).filter(isStable));
  return tags.toSorted().find((tag) => highest !== null && versionTag(tag) === highest) ?? null;
}

/**
 * The tag from which an untagged commit is counted: `git rev-list --count <tag>..<sha>`. Null: from the first commit.
 */
export function baseTag(reachableTags: string[]): string | null {
  return highestVersionTag(reachableTags);
}

/**
 * The version of a commit without a version tag: a pre-release of the next patch. It sorts above its base and below the
 * next release. The `g` makes a hash of digits with a leading zero a valid identifier (semver §9).
 */
export function untaggedVersion(base: string | null, count: number, sha: Sha): string {
  const from = base === null ? "0.0.0" : versionTag(base);
  if (from === null) throw new TypeError(`not a version tag: ${base}`);
  return `${semver.inc(from, "patch")}-${count}.g${sha.slice(0, 7)}`;
}

/** Whether `untaggedVersion` made this version for this commit, from any base. */
export function isUntaggedOf(version: string, sha: Sha): boolean {
  return version.endsWith(`.g${sha.slice(0, 7)}`);
}
