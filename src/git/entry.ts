import type { Sha } from "../delivery/types.ts";
import type { Objects } from "./objects.ts";
import { entriesOf, type TreeEntry } from "./tree.ts";

/** What stands under a plain path of a commit's tree, links on the way not followed; null: nothing. The root is a directory. */
export async function findEntry(objects: Objects, sha: Sha, path: string): Promise<TreeEntry | null | "no commit"> {
  if (path === "") return { kind: "directory", size: 0, object: sha };
  let found: Omit<TreeEntry, "size"> | undefined = { kind: "directory", object: `${sha}^{tree}` };
  for (const name of path.split("/")) {
    if (found?.kind !== "directory") return null;
    const tree = await objects.read(found.object);
    if (tree === null) return "no commit";
    found = entriesOf(tree.bytes, sha.length / 2).get(name);
  }
  if (found === undefined) return null;
  const holdsBytes = found.kind === "regular file" || found.kind === "symbolic link";
  return { ...found, size: holdsBytes ? ((await objects.head(found.object))?.size ?? 0) : 0 };
}
