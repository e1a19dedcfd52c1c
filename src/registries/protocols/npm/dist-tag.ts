import { gt, major, minor, prerelease, rcompare, valid } from "semver";
import type { Packument } from "./packument.ts";

/**
 * The tag that a version is published under: the registry wants one. `latest` only for a release higher than what is latest
 * now, and `next` for an untagged build; a tag never goes back to a lower version.
 * @param tags what they point to now
 */
export function distTagFor(version: string, tags: Record<string, string>): string {
  // Whatever is older than all of them still needs a name; nobody who asks for the newest gets it.
  return tagsOpenTo(version).find((tag) => isRise(version, tag, tags)) ?? "previous";
}

/** The tags that say "the newest of its kind" of a version of this kind, the most wanted first. */
function tagsOpenTo(version: string): string[] {
  const line = `latest-${major(version)}`;
  return prerelease(version) === null ? ["latest", line, `${line}.${minor(version)}`] : ["next"];
}

/** A pre-release is never the latest: some registries make the first version of a package that, whatever it is. */
function isRise(version: string, tag: string, tags: Record<string, string>): boolean {
  const current = tags[tag];
  return current === undefined || (tag !== "next" && prerelease(current) !== null) || gt(version, current);
}

/**
 * The tag that must go up after a version was published, and to what; null: none. Two that are published at once both read the
 * tags before either wrote them, and the lower one may have written last.
 * @param before as it was when the version's tag was chosen; null: not known
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

/** Versions published meanwhile, but none that somebody keeps under a tag of their own: it need not be the latest of anything. */
function cameSince(before: Packument, now: Packument): string[] {
  const elsewhere = new Set(Object.entries(now["dist-tags"]).flatMap(([tag, at]) => (isOurs(tag) ? [] : [at])));
  return Object.keys(now.versions).filter((each) => valid(each) && !before.versions[each] && !elsewhere.has(each));
}

function isOurs(tag: string): boolean {
  return tag === "latest" || tag === "next" || tag === "previous" || /^latest-\d+(?:\.\d+)?$/.test(tag);
}
