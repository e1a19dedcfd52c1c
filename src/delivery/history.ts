import type { Sha } from "./types.ts";

/** One commit: its parents, and whether anything under an artifact's paths differs from each. */
export interface HistoryCommit {
  parents: { sha: Sha; differs: boolean }[];
}

/** What is known of the commits before one, as far as it was read. */
export interface KnownHistory {
  steps: ReadonlyMap<Sha, HistoryCommit>;
  /** Commits of which the artifact has a release. */
  released: ReadonlySet<Sha>;
  /** Commits of which a release may come at any moment, since their deliveries have decided already. */
  underWay: ReadonlySet<Sha>;
}

/**
 * The released commits, nearest first, of which a commit leaves an artifact as it is; null: it is concerned, and has a release of its own.
 *
 * A branch's name follows the newest released commit on it. So a commit may go without a release only where, whatever becomes of the
 * commits before it and in whatever order, the newest of those that are released has the commit's own content. That holds where each way
 * back leads to a release over commits that differ in nothing: a commit between them that differs, released or not, as a bad change before
 * its revert, makes this one concerned. A parent of a merge may differ where its own ways back end in releases that came
 * before one of these: a branch that began earlier and touched nothing of the artifact.
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

/** A commit and those before it, nearest first; `until`: not beyond these, nor these themselves. */
function walk(from: Sha, { steps }: KnownHistory, until: ReadonlySet<Sha> = new Set()): Sha[] {
  const found = new Set([from].filter((sha) => !until.has(sha)));
  // A set hands out what is added while it is read.
  for (const sha of found)
    for (const parent of steps.get(sha)?.parents ?? []) if (!until.has(parent.sha)) found.add(parent.sha);
  return [...found];
}

/** Where a commit stands among the refs that are watched. */
export interface RefMembership {
  /** Branches that hold it. */
  branches: readonly string[];
  /** Tags on this very commit. */
  tags: readonly string[];
}

/**
 * Whether a commit that descends from another stands for it everywhere: on each watched branch that holds the older one. A tag asks for its
 * very commit, so nothing overtakes that.
 */
export function isOvertakenBy(older: RefMembership, newer: RefMembership): boolean {
  const isHeld = (branch: string) => newer.branches.includes(branch);
  return older.tags.length === 0 && older.branches.length > 0 && older.branches.every(isHeld);
}
