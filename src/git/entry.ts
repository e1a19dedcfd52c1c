import { UserError } from "../delivery/errors.ts";
import type { Sha } from "../delivery/types.ts";
import { checkPath, checkSha } from "./arguments.ts";
import type { ObjectReader } from "./object-reader.ts";
import { parseTreeObject, type TreeEntry } from "./tree.ts";

/**
 * The entry at a path. Null: there is none. Symbolic links are not followed. The root is a directory.
 * @throws UserError("commit-gone" | "bad-path")
 */
export async function readEntry(objects: ObjectReader, sha: Sha, path: string): Promise<TreeEntry | null> {
  const plain = checkPath(path);
  if (plain === "") return { kind: "directory", size: 0, object: checkSha(sha) };
  let found: Omit<TreeEntry, "size"> | undefined = { kind: "directory", object: `${checkSha(sha)}^{tree}` };
  for (const name of plain.split("/")) {
    if (found?.kind !== "directory") return null;
    const tree = await objects.read(found.object);
    if (tree === null) throw commitGone(sha);
    found = parseTreeObject(tree.bytes, sha.length / 2).get(name);
  }
  if (found === undefined) return null;
  const holdsBytes = found.kind === "regular file" || found.kind === "symbolic link";
  return { ...found, size: holdsBytes ? ((await objects.head(found.object))?.size ?? 0) : 0 };
}

/**
 * The text of a regular file. Null: there is none.
 * @throws UserError("path-not-a-file" | "file-too-large" | "commit-gone")
 */
export async function readText(
  objects: ObjectReader,
  sha: Sha,
  path: string,
  maxBytes: number,
): Promise<string | null> {
  const entry = await readEntry(objects, sha, path);
  if (entry === null) return null;
  if (entry.kind !== "regular file")
    throw new UserError("path-not-a-file", `${path} at ${sha} is a ${entry.kind}, but must be a regular file.`);
  if (entry.size > maxBytes)
    throw new UserError(
      "file-too-large",
      `${path} at ${sha} has ${entry.size} bytes, and at most ${maxBytes} are allowed.`,
    );
  return (await objects.read(entry.object))?.bytes.toString("utf8") ?? null;
}

export function commitGone(sha: Sha): UserError {
  return new UserError(
    "commit-gone",
    `The commit ${sha} is not in the repository (any more): was it replaced by a forced push?`,
  );
}
