import type { NameFacts } from "./names.ts";
import { highestVersion, isStable, versionsOf } from "./version.ts";

/** A release that could be `latest`, or hold another name that follows versions. */
export interface Contender {
  releaseId: string;
  facts: Pick<NameFacts, "artifact">;
  /** The versions that git tags gave it: a version that was released stays its own, whatever becomes of the tag. */
  tagged: string[];
  /** Where its commit stands on each branch that holds it: its index in the list of the branch's commits, newest first. */
  order: Record<string, number>;
}

export interface RefFacts {
  /** Short. */
  defaultBranch: string;
  /** Every version that counts, as `knownVersions` gives them. */
  versions: string[];
  /** Versions whose commits are delivered, each with the artifacts that were released under it: of another it says nothing. */
  delivered: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * The versions of a repo that are no pre-releases: those that its git tags give now, whoever made and released them, and
 * those that were released. @param tags short names @param released versions under which anything of the repo was released
 */
export function knownVersions(tags: string[], released: string[]): string[] {
  return [...new Set([...versionsOf(tags), ...released])].filter(isStable);
}

/**
 * The one rule for `latest`, `{major}` and `{major}.{minor}`: the release of the highest version that such a name covers;
 * before the first version, the newest release of the default branch. Null: none of these, and what stands stays. So a name
 * never goes below a version that the repo has, be it one that another tool released or one still to come. A version whose
 * commit left the artifact as it was is none of the artifact's.
 * @param covers which versions the name is about; `latest` is about all
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
