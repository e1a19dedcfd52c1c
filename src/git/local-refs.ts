import type { Sha } from "../delivery/types.ts";
import { isRef } from "./arguments.ts";
import { type GitCall, gitText } from "./git.ts";
import { linesOf } from "./lines.ts";

/** The branches and tags of a mirror, by full ref; those that are none for us (git takes control characters beyond ASCII) left out. */
export interface LocalRefs {
  /** The commits they lead to. A tag that leads to none (a tree, a blob) is left out. */
  commits: Map<string, Sha>;
  /** The objects they name: for an annotated tag the tag itself. */
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

/** A tag of a tag: git's own format follows one step only. */
async function peel(tag: Sha, call: GitCall): Promise<Sha | null> {
  const found = await gitText(["rev-parse", "--verify", "--quiet", "--end-of-options", `${tag}^{commit}`], {
    ...call,
    answers: [0, 1, 128],
  });
  return found.trim() || null;
}
