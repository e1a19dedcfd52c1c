import { gt, major, minor, prerelease } from "semver";

/**
 * The tag that a version is published under: the registry wants one. `latest` only for a release higher than what is latest
 * now, and `next` for an untagged build; a tag never goes back to a lower version.
 * @param tags what they point to now
 */
export function distTagFor(version: string, tags: Record<string, string>): string {
  const line = `latest-${major(version)}`;
  const wanted = prerelease(version) === null ? ["latest", line, `${line}.${minor(version)}`] : ["next"];
  // Whatever is older than all of them still needs a name; nobody who asks for the newest gets it.
  return wanted.find((tag) => isRise(version, tags[tag])) ?? "previous";
}

function isRise(version: string, current: string | undefined): boolean {
  return (
    current === undefined || (prerelease(current) !== null) !== (prerelease(version) !== null) || gt(version, current)
  );
}
