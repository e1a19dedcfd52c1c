import type { NameFacts } from "./names.ts";
import { highestVersion, isStable, versionsOf } from "./version.ts";

/** A release that could have `latest` or another name that follows versions. */
export interface Contender {
  releaseId: string;
  facts: Pick<NameFacts, "artifact">;
  /** The versions from its git tags. They stay the release's own even if the tag goes. */
  tagged: string[];
  /** For each branch that contains its commit: the commit's index in the list of the branch's commits, newest first. */
  order: Record<string, number>;
}

export interface RefFacts {
  /** Short. */
  defaultBranch: string;
  /** All versions that count, from `knownVersions`. */
  versions: string[];
  /** Versions whose commits are delivered, each with the artifacts that were released under it. */
  delivered: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * The versions of a repo without pre-releases: those of its git tags, whoever made them, and those that were released.
 * @param tags short names
 * @param released versions under which any artifact of the repo was released
 */
export function knownVersions(tags: string[], released: string[]): string[] {
  return [...new Set([...versionsOf(tags), ...released])].filter(isStable);
}

/**
 * The rule for `latest`, `{major}` and `{major}.{minor}`: the release of the highest version that the name covers.
 * Before the first version: the newest release of the default branch. Null: neither exists, and the name stays where it
 * is. So a name never goes below a version of the repo, even one that another tool released or that is not released
 * yet. A version whose commit did not change the artifact does not count for that artifact.
 * @param covers which versions the name covers; `latest` covers all
 */
export function holderOfVersion<One extends Contender>(
  contenders: One[],
  { versions, delivered, defaultBranch }: RefFacts,
  covers: (version: string) => boolean = () => true,
): One | null {
  if (versions.length === 0) return newestOn(defaultBranch, contenders);
  const isOwn = (version: string) => {
    const artifacts = delivered.get(version);
    return artifacts === undefined || contenders.some(({ facts }) => artifacts.has(facts.artifact));
  };
  const highest = highestVersion(versions.filter((version) => covers(version) && isOwn(version)));
  return contenders.find(({ tagged }) => highest !== null && tagged.includes(highest)) ?? null;
}

export function newestOn<One extends Contender>(branch: string, contenders: One[]): One | null {
  const place = ({ order }: One) => order[branch] ?? Number.POSITIVE_INFINITY;
  return contenders
    .filter(({ order }) => Object.hasOwn(order, branch))
    .reduce<One | null>((best, each) => (best === null || place(each) < place(best) ? each : best), null);
}
