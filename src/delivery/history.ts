import type { Sha } from "./types.ts";

/** A commit's parents, and whether anything under an artifact's paths differs from each of them. */
export interface HistoryCommit {
  parents: { sha: Sha; differs: boolean }[];
}

/** The commits before one, as far as they were read. */
export interface KnownHistory {
  steps: ReadonlyMap<Sha, HistoryCommit>;
  /** Commits from which the artifact was released. */
  released: ReadonlySet<Sha>;
  /** Commits from which a release may come at any moment: their deliveries have already decided so. */
  underWay: ReadonlySet<Sha>;
}

/**
 * The released commits, nearest first, since which a commit has not changed an artifact. Null: it changed the artifact
 * and needs a release of its own.
 *
 * A branch's name follows the newest released commit on the branch. So a commit needs no release only if the newest
 * released commit before it always has the same content, in whatever order the commits before it are released. That is
 * so if every path back leads to a release, over commits that change nothing. A commit in between that changes
 * something, such as a bad change before its revert, makes a release necessary. A parent of a merge may differ if its
 * own paths back end in releases that came before one of these: its branch began earlier and did not touch the
 * artifact.
 */
export function findUnchangedSince(commit: Sha, past: KnownHistory): Sha[] | null {
  const known = new Map<Sha, Sha[] | null>();
  const find = (sha: Sha): Sha[] | null => {
    const before = known.get(sha);
    if (before !== undefined) return before;
    const found = sha !== commit && past.released.has(sha) ? [sha] : findBehind(sha);
    known.set(sha, found);
    return found;
  };
  const findBehind = (sha: Sha): Sha[] | null => {
    const parents = past.steps.get(sha)?.parents ?? [];
    const alike = parents.filter(({ differs }) => !differs).map((parent) => find(parent.sha));
    if (alike.length === 0 || alike.includes(null)) return null;
    const sources = [...new Set(alike.flatMap((each) => each ?? []))];
    const sides = parents.filter(({ differs }) => differs);
    return sides.every((side) => isOlder(side.sha, sources)) ? sources : null;
  };
  const isOlder = (side: Sha, sources: Sha[]): boolean => {
    const own = find(side);
    if (own === null || walk(side, past, past.released).some((sha) => past.underWay.has(sha))) return false;
    return own.every((old) => sources.some((source) => walk(source, past).includes(old)));
  };
  return find(commit);
}

/** A commit and those before it, nearest first. @param until commits at which it stops; they are left out */
function walk(from: Sha, { steps }: KnownHistory, until: ReadonlySet<Sha> = new Set()): Sha[] {
  const found = new Set([from].filter((sha) => !until.has(sha)));
  // Iterating over a set includes what is added meanwhile.
  for (const sha of found)
    for (const parent of steps.get(sha)?.parents ?? []) if (!until.has(parent.sha)) found.add(parent.sha);
  return [...found];
}

/** The watched refs of a commit. */
export interface RefMembership {
  /** Branches that contain it. */
  branches: readonly string[];
  /** Tags that point to it. */
  tags: readonly string[];
}

/**
 * Whether a newer commit, a descendant, replaces an older one on every watched branch that contains the older one. A
 * commit with a tag is never replaced: the tag asks for exactly this commit.
 */
export function isOvertakenBy(older: RefMembership, newer: RefMembership): boolean {
  const isHeld = (branch: string) => newer.branches.includes(branch);
  return older.tags.length === 0 && older.branches.length > 0 && older.branches.every(isHeld);
}
