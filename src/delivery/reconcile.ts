import { CLAIMS, type NameFacts, type Rendering, renderings } from "./names.ts";
import type { ArtifactName, Destination } from "./types.ts";
import { compareVersions, isStable, versionTag } from "./version.ts";

/** A delivered release of one artifact that could hold a moving name. */
export interface Candidate {
  releaseId: string;
  /** As they are now: `branches` the watched branches that hold the commit, `tags` the git tags it has the right to. */
  facts: NameFacts;
  /** Where the commit stands in each of `facts.branches`: its index in the list of the branch's commits, newest first. */
  order: Record<string, number>;
}

export interface RefFacts {
  /** Short. */
  defaultBranch: string;
  /** A version tag that is no pre-release exists anywhere in the repo. */
  hasVersionTag: boolean;
}

/** A candidate that could hold the name, and by what. */
type Claimant = Candidate & Pick<Rendering, "claim" | "version" | "branch">;

/**
 * Which release should hold a moving name now; null: none of these, and what stands there stays. Among the candidates
 * must be, of each watched branch, the newest delivered release, and every release that bears a version tag. The order
 * they are listed in, and finished in, has no part in the answer.
 */
export function holderOf(
  name: Pick<ArtifactName, "repository" | "tag">,
  destination: Destination,
  candidates: Candidate[],
  refs: RefFacts,
): string | null {
  const claimants = candidates.flatMap((candidate) => claimsOf(candidate, name, destination));
  const strongest = CLAIMS.find((claim) => claimants.some((claimant) => claimant.claim === claim));
  const holder = HOLDERS[strongest ?? "any"](
    claimants.filter((claimant) => claimant.claim === strongest),
    refs,
  );
  return holder?.releaseId ?? null;
}

const HOLDERS: Record<Rendering["claim"], (claimants: Claimant[], refs: RefFacts) => Claimant | null> = {
  version: (claimants, refs) =>
    refs.hasVersionTag ? highestVersion(claimants) : newestOn(refs.defaultBranch, claimants),
  any: (claimants, refs) => newestOn(refs.defaultBranch, claimants) ?? newestOfAll(claimants),
  branch: newestOfItsBranch,
};

function claimsOf(candidate: Candidate, name: Pick<ArtifactName, "repository" | "tag">, to: Destination): Claimant[] {
  return renderings(to, candidate.facts)
    .filter((own) => !own.name.immutable && own.name.repository === name.repository && own.name.tag === name.tag)
    .map(({ claim, version, branch }) => ({ ...candidate, claim, version, branch }));
}

/** Only what a git tag says counts: the version of an untagged commit is a pre-release of one that is still to come. */
function highestVersion(claimants: Claimant[]): Claimant | null {
  const tagged = claimants.filter(
    ({ version, facts }) =>
      version !== null && isStable(version) && facts.tags.some((tag) => versionTag(tag) === version),
  );
  return first(tagged, (a, b) => compareVersions(b.version ?? "", a.version ?? "") || byTime(a, b));
}

/** Two branches may render one name (`a/b` and `a-b`): the first of them by name has it, whoever asks. */
function newestOfItsBranch(claimants: Claimant[]): Claimant | null {
  const branch = claimants.map((claimant) => claimant.branch ?? "").sort()[0];
  return branch === undefined
    ? null
    : newestOn(
        branch,
        claimants.filter((claimant) => claimant.branch === branch),
      );
}

function newestOn(branch: string, claimants: Claimant[]): Claimant | null {
  const place = (claimant: Claimant) => claimant.order[branch] ?? Number.POSITIVE_INFINITY;
  return first(
    claimants.filter((claimant) => Object.hasOwn(claimant.order, branch)),
    (a, b) => place(a) - place(b),
  );
}

/** Places on different branches do not compare, so the newest of each branch compete by their commits' time. */
function newestOfAll(claimants: Claimant[]): Claimant | null {
  const branches = new Set(claimants.flatMap((claimant) => Object.keys(claimant.order)));
  const heads = [...branches].map((branch) => newestOn(branch, claimants)).filter((head) => head !== null);
  return first(heads, byTime);
}

/** Newest first; the sha makes it the same everywhere. */
function byTime(a: Claimant, b: Claimant): number {
  const time = b.facts.committedAt.getTime() - a.facts.committedAt.getTime();
  return time !== 0 ? time : a.facts.sha < b.facts.sha ? -1 : 1;
}

function first(claimants: Claimant[], order: (a: Claimant, b: Claimant) => number): Claimant | null {
  return claimants.toSorted(order)[0] ?? null;
}
