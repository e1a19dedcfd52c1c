import type { Readable } from "node:stream";
import { UserError } from "../delivery/errors.ts";
import type { Sha } from "../delivery/types.ts";
import { checkPath } from "./arguments.ts";
import { splitStream } from "./lines.ts";
import { decodePath } from "./path-bytes.ts";

/** One entry of a commit's tree. */
export interface TreeEntry {
  kind: "regular file" | "directory" | "symbolic link" | "submodule";
  /** Bytes of a file or of a link's target, before any conversion of line ends. 0 for the others. */
  size: number;
  object: Sha;
}

/** The paths of a build's files, relative to the root of the commit's tree. */
export interface BuildPaths {
  contextDir: string;
  /** Null: no Dockerfile is needed, and no ignore file applies. */
  dockerfile: string | null;
}

const KINDS: Record<string, TreeEntry["kind"]> = {
  "040000": "directory",
  "120000": "symbolic link",
  "160000": "submodule",
};

/** Reads the output of `git ls-tree -z -l`: `<mode> <type> <object> <size>\t<path>`. */
export async function* parseTreeListing(stream: Readable): AsyncGenerator<[path: string, entry: TreeEntry]> {
  for await (const line of splitStream(stream, "\0")) {
    const tab = line.indexOf("\t");
    const [mode = "", , object = "", size = ""] = line.slice(0, tab).split(/ +/);
    yield [line.slice(tab + 1), { kind: KINDS[mode] ?? "regular file", size: Number(size) || 0, object }];
  }
}

/** Reads a tree object: `<mode> <name>\0<id>` repeated, with modes without leading zeros. It contains no sizes. */
export function parseTreeObject(tree: Buffer, idBytes: number): Map<string, Omit<TreeEntry, "size">> {
  const entries = new Map<string, Omit<TreeEntry, "size">>();
  for (let at = 0; at < tree.length; ) {
    const space = tree.indexOf(" ", at);
    const end = tree.indexOf(0, space);
    if (space < 0 || end < 0) break;
    const mode = tree.toString("latin1", at, space).padStart(6, "0");
    const object = tree.toString("hex", end + 1, end + 1 + idBytes);
    entries.set(decodePath(tree.subarray(space + 1, end)), { kind: KINDS[mode] ?? "regular file", object });
    at = end + 1 + idBytes;
  }
  return entries;
}

/** Names that lead out of a tree or into a `.git` folder. */
const BAD_NAME = /(?:^|\/)(?:\.{0,2}|\.git)(?:\/|$)/i;

/**
 * A whole tree in its order, every folder before its contents. It stops at `maxEntries`, since a few crafted objects
 * can describe billions of entries.
 * @throws UserError("context-too-many-entries" | "context-bad-name")
 */
export async function readTree(
  tree: AsyncIterable<[string, TreeEntry]>,
  sha: Sha,
  maxEntries: number,
): Promise<Map<string, TreeEntry>> {
  const entries = new Map<string, TreeEntry>();
  for await (const [path, entry] of tree) {
    if (BAD_NAME.test(path)) throw badName(path, sha, "is a name that no checkout can have");
    if (entries.has(path)) throw badName(path, sha, "is there twice");
    entries.set(path, entry);
    if (entries.size > maxEntries)
      throw new UserError(
        "context-too-many-entries",
        `The tree of ${sha} has more than the ${maxEntries} files and folders that are allowed.`,
      );
  }
  return entries;
}

function badName(path: string, sha: Sha, what: string): UserError {
  return new UserError(
    "context-bad-name",
    `${JSON.stringify(path.slice(0, 200))} in the tree of ${sha} ${what}: the commit was not made by git.`,
  );
}

/** `a`, `a/b` and `a/b/c` for `a/b/c`. Nothing for the root. */
export function pathsUpTo(path: string): string[] {
  const names = path === "" ? [] : path.split("/");
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
}

/** @throws UserError("dockerfile-missing" | "context-missing" | "path-is-a-symlink") */
export function requireBuildPaths(entries: Map<string, TreeEntry>, sha: Sha, paths: BuildPaths): void {
  demand(entries, sha, paths.contextDir, "directory", "context-missing", "Set context to a folder of the repository.");
  if (paths.dockerfile === null) return;
  demand(
    entries,
    sha,
    paths.dockerfile,
    "regular file",
    "dockerfile-missing",
    "Add it, or set dockerfile to its path from the root of the repository.",
  );
}

function demand(
  entries: Map<string, TreeEntry>,
  sha: Sha,
  path: string,
  kind: TreeEntry["kind"],
  code: string,
  remedy: string,
): void {
  const plain = checkPath(path);
  for (const step of pathsUpTo(plain)) {
    const found = entries.get(step)?.kind ?? null;
    if (found === "symbolic link")
      throw new UserError(
        "path-is-a-symlink",
        `${step} in commit ${sha} is a symbolic link, and deliverd does not follow it for ${path}: name its target.`,
      );
    if (found === null) throw new UserError(code, `There is no ${path} in commit ${sha}. ${remedy}`);
    if (step === plain && found !== kind)
      throw new UserError(code, `${path} in commit ${sha} is a ${found}, not a ${kind}. ${remedy}`);
  }
}
