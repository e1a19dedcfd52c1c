import { UserError } from "../delivery/errors.ts";
import { printable } from "../delivery/printable.ts";
import type { Sha } from "../delivery/types.ts";
import type { RunLog } from "../run/run.ts";
import type { Mirror } from "./mirror.ts";
import type { TreeEntry } from "./tree.ts";

/** What stands in a tree for content that git does not have. */
export interface Placeholders {
  /** Paths of files whose content is a pointer of Git LFS. */
  lfs: string[];
  /** Paths of submodules: their folders are empty. */
  submodules: string[];
}

/** https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: a pointer begins like this, and is shorter than 1024. */
const POINTER = "version https://git-lfs.github.com/spec/v1\n";
const MAX_POINTER_BYTES = 1023;
const MAX_ATTRIBUTES_BYTES = 64 * 1024;
/** Files of that size that are read at most. A repo that uses LFS has a pointer among the first ones. */
const MAX_READ = 2_000;
const MAX_SHOWN = 5;

/**
 * Finds what a build gets in place of the real content.
 * @param tree all entries of the commit
 * @param sent the paths that the build gets
 */
export async function findPlaceholders(
  mirror: Pick<Mirror, "readFile">,
  sha: Sha,
  tree: ReadonlyMap<string, TreeEntry>,
  sent: ReadonlySet<string>,
): Promise<Placeholders> {
  const own = [...tree].filter(([path]) => sent.has(path));
  const submodules = own.filter(([, { kind }]) => kind === "submodule").map(([path]) => path);
  const usesLfs = await hasLfsAttribute(mirror, sha, tree);
  const small = own.filter(([, entry]) => usesLfs && mayBePointer(entry)).slice(0, MAX_READ);
  const lfs: string[] = [];
  for (const [path] of small)
    if ((await mirror.readFile(sha, path, MAX_POINTER_BYTES))?.startsWith(POINTER)) lfs.push(path);
  return { lfs, submodules };
}

function mayBePointer({ kind, size }: TreeEntry): boolean {
  return kind === "regular file" && size > POINTER.length && size <= MAX_POINTER_BYTES;
}

async function hasLfsAttribute(
  mirror: Pick<Mirror, "readFile">,
  sha: Sha,
  tree: ReadonlyMap<string, TreeEntry>,
): Promise<boolean> {
  for (const [path, { kind, size }] of tree)
    if (kind === "regular file" && /(?:^|\/)\.gitattributes$/.test(path)) {
      // One that is too large to be read may say anything.
      if (size > MAX_ATTRIBUTES_BYTES) return true;
      const text = await mirror.readFile(sha, path, MAX_ATTRIBUTES_BYTES);
      if (text !== null && /^[^#\n]*\sfilter=lfs\b/m.test(text)) return true;
    }
  return false;
}

/**
 * Says in the log what a build does not get.
 * @param refuses whether pointers of LFS end the build
 * @throws UserError `lfs-pointers`
 */
export function reportPlaceholders({ lfs, submodules }: Placeholders, refuses: boolean, log: RunLog): void {
  if (submodules.length > 0) log.line(`Submodules are empty folders: ${listed(submodules)}.`);
  if (lfs.length === 0) return;
  const what = `${lfs.length === 1 ? "1 file is a pointer" : `${lfs.length} files are pointers`} of Git LFS: ${listed(lfs)}`;
  if (!refuses) {
    log.line(`${what}. The build gets the pointers, since deliverd does not fetch what they stand for.`);
    return;
  }
  throw new UserError(
    "lfs-pointers",
    `${what}. deliverd does not fetch what they stand for, and the pipeline says lfs: refuse. ` +
      "Fetch them in the build, leave them out by .dockerignore, or set lfs: warn.",
  );
}

function listed(paths: string[]): string {
  const shown = paths.slice(0, MAX_SHOWN).map((path) => printable(path.slice(0, 200)));
  return shown.join(", ") + (paths.length > MAX_SHOWN ? ` and ${paths.length - MAX_SHOWN} more` : "");
}
