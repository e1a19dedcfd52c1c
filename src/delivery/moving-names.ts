import { UserError } from "./errors.ts";
import { CLAIMS, type NameFacts, type Rendering, renderings } from "./names.ts";
import { variablesOf } from "./template.ts";
import type { ArtifactName, Destination, Sha } from "./types.ts";
import { majorMinor, versionTag } from "./version.ts";
import { type Contender, holderOfVersion, newestOn, type RefFacts } from "./version-holder.ts";

/** A delivered release of one artifact that could have a moving name. */
export interface Candidate extends Contender {
  /** The facts now. `branches` are the watched branches that contain the commit. */
  facts: NameFacts;
  /** The destinations in its own plan. */
  destinations: Destination[];
}

/** A moving name, the release that should have it, and the releases that do not get it. */
export interface NameAssignment {
  name: ArtifactName;
  /** Id of the release. Null: none of the candidates, and the name stays where it is. */
  holder: string | null;
  losers: { releaseId: string; because: string }[];
}

/** A candidate that asks for a name, and its claim. */
type Claimant = Candidate & Pick<Rendering, "claim" | "branch" | "covers">;

/** One moving name, and all candidates that ask for it. */
interface Wish {
  name: ArtifactName;
  claimants: Claimant[];
  /** A git tag of the repo gives the same name as an immutable one. */
  isKept: boolean;
}

/**
 * Decides which release should have each moving name now. The candidates must contain the newest delivered release of
 * each artifact on each watched branch, and every release with a version tag. The answer does not depend on their
 * order, nor on the order in which they were finished. If two artifacts of one commit ask for one name, the first by
 * its name gets it.
 * @param tags git tags of the repo: the immutable names that they give are reserved for their commits
 */
export function assignMovingNames(candidates: Candidate[], refs: RefFacts, tags: string[] = []): NameAssignment[] {
  const sorted = candidates.toSorted((a, b) => (a.facts.artifact < b.facts.artifact ? -1 : 1));
  return wishesOf(sorted, tags).map((wish) => holdingOf(wish, refs));
}

function wishesOf(candidates: Candidate[], tags: string[]): Wish[] {
  const wishes = new Map<string, Wish>();
  const kept = new Set<string>();
  const seen = new Set<string>();
  for (const candidate of candidates) {
    for (const destination of candidate.destinations) {
      const { artifact } = candidate.facts;
      const source = JSON.stringify([destination, artifact]);
      if (!seen.has(source)) for (const name of namesOfTags(destination, candidate.facts, tags)) kept.add(name);
      seen.add(source);
      const all = possible(destination, candidate.facts);
      const own = new Set(all.filter(({ name }) => name.immutable).map(({ name }) => keyOf(name)));
      for (const { name, claim, branch, covers } of all) {
        // The release already has this name as an immutable one.
        if (own.has(keyOf(name))) continue;
        const wish = wishes.get(keyOf(name)) ?? { name, claimants: [], isKept: false };
        wishes.set(keyOf(name), wish);
        wish.claimants.push({ ...candidate, claim, branch, covers });
      }
    }
  }
  return [...wishes].map(([key, wish]) => ({ ...wish, isKept: kept.has(key) }));
}

/**
 * Of the releases on a branch, those of the newest commit for each kind of name. A release may be on hundreds of
 * branches, and nearly all names belong to the newest one.
 * @param kindOf equal for two releases that ask for the same names on the branch
 */
export function newestOfEachKind<One extends { sha: Sha }>(newestFirst: One[], kindOf: (one: One) => string): One[] {
  const newest = new Map<string, Sha>();
  return newestFirst.filter((one) => {
    const kind = kindOf(one);
    if (!newest.has(kind)) newest.set(kind, one.sha);
    return newest.get(kind) === one.sha;
  });
}

/** A key that is equal for two releases of a branch if their templates give the same moving names. */
export function kindOfNames({ artifact, committedAt, versions }: Kinds, destinations: Destination[]): string {
  const used = new Set(
    destinations.flatMap(({ as, tags }) => [as ?? "", ...tags].flatMap((template) => [...variablesOf(template)])),
  );
  const date = used.has("date") ? committedAt.toISOString().slice(0, 10) : "";
  const parts = used.has("major") || used.has("minor") ? versions.map(majorMinor) : [];
  return JSON.stringify([artifact, date, parts, destinations]);
}

type Kinds = Pick<NameFacts, "artifact" | "committedAt" | "versions">;

/** Candidates that ask for a name with the same claim. */
interface Group {
  claim: Rendering["claim"];
  /** The branch that the name follows, or an empty text. */
  branch: string;
  members: Claimant[];
}

function holdingOf({ name, claimants, isKept }: Wish, refs: RefFacts): NameAssignment {
  const [first, ...others] = groupsOf(claimants);
  if (first === undefined) return { name, holder: null, losers: [] };
  const front = (group: Group) => frontOf(group, refs);
  const where = `${name.repository}:${name.tag} in ${name.registry}`;
  if (isKept) {
    const because = `${where} is reserved for the git tag that gives it: a name with a version is immutable`;
    return { name, holder: null, losers: losersOf([first, ...others].flatMap(front), null, because) };
  }
  const [holder = null, ...beside] = front(first);
  const losers = [
    ...losersOf(
      beside,
      holder,
      `${where} belongs to artifact ${holder?.facts.artifact}, which also publishes this name`,
    ),
    ...losersOf(others.flatMap(front), holder, `${where} ${REASONS[first.claim](first.branch)}`),
  ];
  return { name, holder: holder?.releaseId ?? null, losers };
}

/** Why a claim wins, for people. */
const REASONS: Record<Rendering["claim"], (branch: string) => string> = {
  version: () => "follows the highest version, which comes before a branch",
  any: () => "is written out in the pipeline, which comes before a branch",
  branch: (branch) => `follows branch ${branch}, which gives the same name`,
};

function losersOf(losers: Claimant[], holder: Claimant | null, because: string): NameAssignment["losers"] {
  const isHeld = ({ facts }: Claimant) => facts.sha === holder?.facts.sha && facts.artifact === holder.facts.artifact;
  return losers.filter((each) => !isHeld(each)).map(({ releaseId }) => ({ releaseId, because }));
}

/** The winning group first. Two branches may give one name (`a/b` and `a-b`): then the first of them by name wins. */
function groupsOf(claimants: Claimant[]): Group[] {
  const groups = new Map<string, Group>();
  for (const claimant of claimants) {
    const { claim } = claimant;
    const branch = claim === "branch" ? (claimant.branch ?? "") : "";
    const group = groups.get(`${claim} ${branch}`) ?? { claim, branch, members: [] };
    groups.set(`${claim} ${branch}`, group);
    group.members.push(claimant);
  }
  return [...groups.values()].sort(
    (a, b) => CLAIMS.indexOf(a.claim) - CLAIMS.indexOf(b.claim) || (a.branch < b.branch ? -1 : 1),
  );
}

/** The holder of a group's name, and the other artifacts of the same commit, which ask for it too. */
function frontOf({ claim, branch, members }: Group, refs: RefFacts): Claimant[] {
  const holder = HOLDERS[claim](members, refs, branch);
  if (holder === null) return [];
  const { sha, artifact } = holder.facts;
  return [holder, ...members.filter(({ facts }) => facts.sha === sha && facts.artifact !== artifact)];
}

const HOLDERS: Record<Rendering["claim"], (members: Claimant[], refs: RefFacts, branch: string) => Claimant | null> = {
  version: (members, refs) =>
    holderOfVersion(members, refs, (version) => members.some(({ covers }) => isCovered(version, covers))),
  any: (members, { defaultBranch }) => newestOn(defaultBranch, members) ?? newestOfAll(members),
  branch: (members, _refs, branch) => newestOn(branch, members),
};

function isCovered(version: string, { major, minor }: Rendering["covers"]): boolean {
  const own = majorMinor(version);
  return (major === null || major === own.major) && (minor === null || minor === own.minor);
}

/** Positions on different branches cannot be compared, so the newest of each branch are compared by commit time. */
function newestOfAll(members: Claimant[]): Claimant | null {
  const branches = new Set(members.flatMap(({ order }) => Object.keys(order)));
  const heads = [...branches].map((branch) => newestOn(branch, members)).filter((head) => head !== null);
  return heads.toSorted(byTime)[0] ?? null;
}

/** Newest first. Equal times are ordered by sha, so that every process gets the same order. */
function byTime(a: Claimant, b: Claimant): number {
  const time = b.facts.committedAt.getTime() - a.facts.committedAt.getTime();
  return time !== 0 ? time : a.facts.sha < b.facts.sha ? -1 : 1;
}

const BY_VERSION = new Set(["version", "major", "minor", "owner", "repo", "artifact", "date"]);
const BY_TAG = new Set(["tag", "owner", "repo", "artifact", "date"]);

/** Immutable names that git tags of the repo give, or will give when their commits are delivered. */
function namesOfTags(destination: Destination, facts: NameFacts, tags: string[]): string[] {
  const of = (variables: Set<string>) =>
    destination.tags.filter((template) =>
      [...variablesOf(`${destination.as}:${template}`)].every((variable) => variables.has(variable)),
    );
  const versions = tags.map(versionTag).filter((version) => version !== null);
  return [
    ...possible({ ...destination, tags: of(BY_VERSION) }, { ...facts, versions, tags: [], branches: [] }),
    ...possible({ ...destination, tags: of(BY_TAG) }, { ...facts, versions: [], tags, branches: [] }),
  ].flatMap(({ name }) => (name.immutable ? [keyOf(name)] : []));
}

/** After a rename of the repo an old plan may give a name that no registry accepts. It must not block the others. */
function possible(destination: Destination, facts: NameFacts): Rendering[] {
  try {
    return renderings(destination, facts);
  } catch (error) {
    if (error instanceof UserError) return [];
    throw error;
  }
}

function keyOf({ registry, repository, tag }: ArtifactName): string {
  return JSON.stringify([registry, repository, tag]);
}
