import type { Sha } from "../delivery/types.ts";
import { isRef } from "./arguments.ts";
import { type GitCall, gitText } from "./git.ts";
import { linesOf } from "./lines.ts";

/**
 * The branches and tags of a mirror, by full ref. Names with control characters beyond ASCII, which git accepts, are
 * left out.
 */
export interface LocalRefs {
  /** The commits that they point to. A tag of a tree or a blob is left out. */
  commits: Map<string, Sha>;
  /** The objects that they point to. For an annotated tag it is the tag object. */
  objects: Map<string, Sha>;
}

export async function readRefs(call: GitCall): Promise<LocalRefs> {
  const format = "--format=%(refname) %(objecttype) %(objectname) %(*objecttype) %(*objectname)";
  const refs: LocalRefs = { commits: new Map(), objects: new Map() };
  for (const line of linesOf(await gitText(["for-each-ref", format, "refs/heads", "refs/tags"], call))) {
    const [ref = "", type, object = "", peeledType, peeled = ""] = line.split(" ");
    if (!isRef(ref)) continue;
    refs.objects.set(ref, object);
    const commit =
      type === "commit"
        ? object
        : peeledType === "commit"
          ? peeled
          : peeledType === "tag"
            ? await peel(peeled, call)
            : null;
    if (commit !== null) refs.commits.set(ref, commit);
  }
  return refs;
}

/** Follows a tag of a tag: git's own format follows only one step. */
async function peel(tag: Sha, call: GitCall): Promise<Sha | null> {
  const found = await gitText(["rev-parse", "--verify", "--quiet", "--end-of-options", `${tag}^{commit}`], {
    ...call,
    answers: [0, 1, 128],
  });
  return found.trim() || null;
}
