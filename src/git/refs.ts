import type { Sha } from "../delivery/types.ts";
import { type GitCall, gitText } from "./git.ts";
import { linesOf } from "./lines.ts";

/** Branches and tags by full ref, as the commits they lead to. A tag that leads to none (a tree, a blob) is left out. */
export async function readRefs(call: GitCall): Promise<Map<string, Sha>> {
  const format = "--format=%(refname) %(objecttype) %(objectname) %(*objecttype) %(*objectname)";
  const refs = new Map<string, Sha>();
  for (const line of linesOf(await gitText(["for-each-ref", format, "refs/heads", "refs/tags"], call))) {
    const [ref = "", type, object = "", peeledType, peeled = ""] = line.split(" ");
    if (type === "commit") refs.set(ref, object);
    else if (peeledType === "commit") refs.set(ref, peeled);
    else if (peeledType === "tag") {
      const commit = await peel(peeled, call);
      if (commit !== null) refs.set(ref, commit);
    }
  }
  return refs;
}

/** Branches and tags by full ref, as the objects they name: for an annotated tag the tag itself. */
export async function readRawRefs(call: GitCall): Promise<Map<string, Sha>> {
  const lines = linesOf(
    await gitText(["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"], call),
  );
  return new Map(lines.map((line) => line.split(" ") as [string, Sha]));
}

/** A tag of a tag: git's own format follows one step only. */
async function peel(tag: Sha, call: GitCall): Promise<Sha | null> {
  const found = await gitText(["rev-parse", "--verify", "--quiet", "--end-of-options", `${tag}^{commit}`], {
    ...call,
    answers: [0, 1, 128],
  });
  return found.trim() || null;
}
