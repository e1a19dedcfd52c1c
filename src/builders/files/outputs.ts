import { posix } from "node:path";
import { UserError } from "../../delivery/errors.ts";
import { globMatches } from "../../delivery/glob.ts";
import type { ArtifactPlan } from "../../delivery/types.ts";

/**
 * The paths in a build's workspace that match the artifact's globs, each once, sorted. Folders with contents are left
 * out.
 * @param left files and folders that the build left, relative to the workspace
 * @throws UserError `nothing-matches`, whose message lists what is there, `bad-output`
 */
export function chooseOutputs(
  { name, files }: Pick<ArtifactPlan, "name" | "files">,
  left: readonly string[],
): string[] {
  const chosen = new Set<string>();
  for (const glob of files) {
    const own = glob.replace(/^(?:\.?\/)+/, "");
    const matches = left.filter((path) => globMatches(own, path));
    if (matches.length === 0) throw nothingMatches(name, glob, own, left);
    for (const path of matches) chosen.add(path);
  }
  const folders = foldersOf(left);
  const [first = "", ...others] = [...chosen].sort();
  const paths = [first, ...others].filter((path) => !folders.has(path));
  if (paths.length === 0) throw badOutput(first, `is a folder. Name the files in it, as in ${first}/**`);
  return paths;
}

function foldersOf(paths: readonly string[]): Set<string> {
  const folders = new Set<string>();
  for (const path of paths)
    for (let above = posix.dirname(path); above !== "." && !folders.has(above); above = posix.dirname(above))
      folders.add(above);
  return folders;
}

export function badOutput(path: string, why: string): UserError {
  return new UserError("bad-output", `${path} ${why}. An artifact is made of regular files in the workspace.`);
}

const MAX_ENTRIES_SHOWN = 20;

function nothingMatches(artifact: string, glob: string, own: string, left: readonly string[]): UserError {
  const folder = nearestFolder(own, left);
  const base = folder === "" ? "" : `${folder}/`;
  const inside = left.filter((path) => path.startsWith(base)).map((path) => path.slice(base.length));
  const entries = [...new Set(inside.map((path) => path.replace(/\/.*/, "/")))];
  // A folder is listed itself, and as the start of its contents.
  const shown = entries.filter((entry) => !entries.includes(`${entry}/`)).sort();
  const more = shown.length > MAX_ENTRIES_SHOWN ? `, and ${shown.length - MAX_ENTRIES_SHOWN} more` : "";
  const there = shown.length === 0 ? "nothing" : shown.slice(0, MAX_ENTRIES_SHOWN).join(", ") + more;
  return new UserError(
    "nothing-matches",
    `artifacts.${artifact}.files: no file that the commands wrote matches ${glob}. ` +
      `In ${base || "the workspace"} there is: ${there}. Files in a folder of build.cache do not count.`,
  );
}

/** The deepest existing folder above the glob's first wildcard. */
function nearestFolder(glob: string, left: readonly string[]): string {
  const plain = glob.split("/").slice(0, -1);
  const pattern = plain.findIndex((segment) => /[*?]/.test(segment));
  let folder = plain.slice(0, pattern < 0 ? undefined : pattern).join("/");
  while (folder !== "" && !left.some((path) => path.startsWith(`${folder}/`))) {
    const above = posix.dirname(folder);
    folder = above === "." ? "" : above;
  }
  return folder;
}

/**
 * Requires that no two files have the same name: folders are not part of an artifact.
 * @throws UserError `same-name-twice`
 */
export function requireUniqueNames(artifact: string, paths: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const name = posix.basename(path);
    const other = seen.get(name);
    if (other !== undefined) {
      throw new UserError(
        "same-name-twice",
        `artifacts.${artifact}.files: ${other} and ${path} have the same name, and an artifact has no folders. ` +
          "Rename one, or narrow the glob.",
      );
    }
    seen.set(name, path);
  }
}
