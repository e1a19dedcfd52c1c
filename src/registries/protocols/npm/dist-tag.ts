import { gt, major, minor, prerelease, rcompare, valid } from "semver";
import type { Packument } from "./packument.ts";

/**
 * The tag under which to publish a version, since a registry requires one: `latest` only for a release that is higher
 * than the present latest, and `next` for an untagged build. A tag never goes back to a lower version.
 * @param tags the versions that the tags point to now
 */
export function distTagFor(version: string, tags: Record<string, string>): string {
  // An older version needs a tag too, but one that nobody uses to get the newest.
  return tagsOpenTo(version).find((tag) => isRise(version, tag, tags)) ?? "previous";
}

/** The tags that mean "the newest" for a version of this kind, the most important first. */
function tagsOpenTo(version: string): string[] {
  const line = `latest-${major(version)}`;
  return prerelease(version) === null ? ["latest", line, `${line}.${minor(version)}`] : ["next"];
}

/**
 * Whether the tag may move to the version. A pre-release does not keep `latest`: some registries give it to any first
 * version.
 */
function isRise(version: string, tag: string, tags: Record<string, string>): boolean {
  const current = tags[tag];
  return current === undefined || (tag !== "next" && prerelease(current) !== null) || gt(version, current);
}

/**
 * The tag that must be raised after a version was published, and its version. Null: none. If two versions are published
 * at the same time, both read the tags first, and the lower version may write last.
 * @param before the document when the version's tag was chosen. Null: not known
 */
export function tagToRaise(
  version: string,
  before: Packument | null,
  now: Packument,
): { tag: string; version: string } | null {
  const [first = "latest"] = tagsOpenTo(version);
  const tag = before === null ? first : distTagFor(version, before["dist-tags"]);
  if (tag === "previous") return null;
  const rivals = before === null ? [] : cameSince(before, now).filter((each) => tagsOpenTo(each).includes(tag));
  const [highest = version] = [version, ...rivals].sort(rcompare);
  return isRise(highest, tag, now["dist-tags"]) ? { tag, version: highest } : null;
}

/** Versions published meanwhile, without those under a tag of somebody else: they need not be the latest. */
function cameSince(before: Packument, now: Packument): string[] {
  const elsewhere = new Set(Object.entries(now["dist-tags"]).flatMap(([tag, at]) => (isOurs(tag) ? [] : [at])));
  return Object.keys(now.versions).filter((each) => valid(each) && !before.versions[each] && !elsewhere.has(each));
}

function isOurs(tag: string): boolean {
  return tag === "latest" || tag === "next" || tag === "previous" || /^latest-\d+(?:\.\d+)?$/.test(tag);
}
