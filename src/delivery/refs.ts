/** Full git refs of branches and tags: `refs/heads/main`, `refs/tags/v1.2.3`. */

export const BRANCHES = "refs/heads/";
export const TAGS = "refs/tags/";

/** The name of a branch or tag: `feature/x` of `refs/heads/feature/x`. */
export function shortRef(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, "");
}

/** The short names of the branches among full refs, in the given order. */
export function branchNames(refs: readonly string[]): string[] {
  return namesUnder(BRANCHES, refs);
}

/** The short names of the tags among full refs, in the given order. */
export function tagNames(refs: readonly string[]): string[] {
  return namesUnder(TAGS, refs);
}

function namesUnder(prefix: string, refs: readonly string[]): string[] {
  return refs.filter((ref) => ref.startsWith(prefix)).map((ref) => ref.slice(prefix.length));
}
