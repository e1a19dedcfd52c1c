import { copyFile, mkdir, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { BRANCHES, TAGS } from "../delivery/refs.ts";
import type { Sha } from "../delivery/types.ts";
import { baseTag, untaggedVersion } from "../delivery/version.ts";
import { toPathspec } from "./arguments.ts";
import { ensureBareRepository } from "./bare-repository.ts";
import { ask, type Checkout, readCheckout } from "./checkout.ts";
import { type GitCall, gitText, runGit } from "./git.ts";
import { Mirror } from "./mirror.ts";
import { QuickRefs } from "./quick-refs.ts";

/** The files of a folder as a commit in a mirror, so that everything that reads a commit can read them. */
export interface WorkingTree {
  /** The root of its files. */
  root: string;
  /** The refs that the git host has after a push of the branch and the tags. */
  mirror: Mirror;
  /** HEAD if nothing was changed; else a commit that only this mirror has. */
  sha: Sha;
  /** Null: the folder is in no git checkout. */
  checkout: Checkout | null;
  /** Whether a glob of `paths` matches a file. @throws UserError("bad-glob") */
  hasFile(glob: string): Promise<boolean>;
  /** Removes the mirror. The checkout stays as it was. */
  close(): Promise<void>;
}

const TIME_LIMIT_MS = 10 * 60_000;

/**
 * Opens the checkout that `dir` is in, or the folder itself if it is in none. The mirror is a repository of its own
 * that borrows the objects of the checkout, so nothing is fetched, and nothing is written into the checkout.
 * @param tagsChanges gives changed files a version of their own: `<the version of HEAD>.dirty`
 * @throws ConfigError `checkout-unreadable`, `git-missing`
 */
export async function openWorkingTree(
  dir: string,
  { tagsChanges = false }: { tagsChanges?: boolean } = {},
): Promise<WorkingTree> {
  const checkout = await readCheckout(dir);
  const root = checkout?.root ?? resolve(dir);
  const tmp = await mkdtemp(join(tmpdir(), "deliverd-tree-"));
  const closing = new AbortController();
  const close = async () => {
    closing.abort(new Error("the working tree is closed"));
    await rm(tmp, { recursive: true, force: true });
  };
  try {
    const path = join(tmp, "mirror.git");
    const call: GitCall = { gitDir: path, signals: [closing.signal], timeLimit: TIME_LIMIT_MS };
    await borrow(path, checkout, call);
    const sha =
      checkout?.head && !checkout.isDirty ? checkout.head : await commitFiles({ tmp, path, root, checkout }, call);
    const refs = new Map(checkout?.refs ?? []);
    if (checkout?.branch) refs.set(BRANCHES + checkout.branch, sha);
    if (!checkout?.branch && sha !== checkout?.head) refs.set(`${BRANCHES}working-tree`, sha);
    await writeRefs(path, refs);
    const open = () => new Mirror(path, closing.signal, new QuickRefs(), { readLimit: TIME_LIMIT_MS });
    if (tagsChanges && checkout?.head && checkout.isDirty) await tagAsDirty(open(), path, refs, checkout.head, sha);
    return { root, mirror: open(), sha, checkout, hasFile: (glob) => hasFile(glob, sha, call), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Makes the mirror. */
async function borrow(path: string, checkout: Checkout | null, call: GitCall): Promise<void> {
  await ensureBareRepository(path, checkout?.format ?? "sha1", call);
  if (checkout === null) return;
  await mkdir(join(path, "objects", "info"), { recursive: true });
  await writeFile(join(path, "objects", "info", "alternates"), `${checkout.objects}\n`);
  if (checkout.shallow !== null) await copyFile(checkout.shallow, join(path, "shallow"));
}

/** Commits all files that git does not ignore, in the mirror. The same files on the same HEAD give the same commit. */
async function commitFiles(
  { tmp, path, root, checkout }: { tmp: string; path: string; root: string; checkout: Checkout | null },
  call: GitCall,
): Promise<Sha> {
  const index = join(tmp, "index");
  if (checkout !== null) await copyIndex(checkout.index, index);
  const env = {
    GIT_INDEX_FILE: index,
    GIT_OBJECT_DIRECTORY: join(path, "objects"),
    ...(checkout === null ? { GIT_DIR: path, GIT_WORK_TREE: root } : {}),
  };
  await ask(root, ["add", "--all", "--", "."], env);
  const tree = (await ask(root, ["write-tree"], env)).trim();
  const { head } = checkout ?? { head: null };
  const at = head === null ? Math.floor(Date.now() / 1000) : await timeOf(head, call);
  const who = `deliverd <deliverd@localhost> ${at} +0000`;
  const commit = [
    `tree ${tree}`,
    ...(head === null ? [] : [`parent ${head}`]),
    ...[`author ${who}`, `committer ${who}`, "", "The working tree", ""],
  ].join("\n");
  return (await gitText(["hash-object", "-t", "commit", "-w", "--stdin"], { ...call, stdin: commit })).trim();
}

/**
 * With the index of the checkout, git reads only the files that may have changed since it was written. So the copy has
 * to be as old: git reads again what was written in the same second (Documentation/technical/racy-git.txt).
 */
async function copyIndex(from: string, to: string): Promise<void> {
  try {
    const seconds = Math.floor((await stat(from)).mtimeMs / 1000);
    await copyFile(from, to);
    await utimes(to, seconds, seconds);
  } catch (error) {
    // A repository in which nothing was ever added has none.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

async function timeOf(sha: Sha, call: GitCall): Promise<number> {
  return Number(await gitText(["log", "-1", "--format=%ct", sha], call));
}

/** A tag gives the changed files a version of their own, which says what they were changed from. */
async function tagAsDirty(mirror: Mirror, path: string, refs: Map<string, Sha>, head: Sha, sha: Sha): Promise<void> {
  const base = baseTag(await mirror.tagsReachable(head));
  const version = untaggedVersion(base, await mirror.count(base, head), head);
  await writeRefs(path, refs.set(`${TAGS}v${version}.dirty`, sha));
}

/** By git itself, as it finds the commits that change an artifact. What a glob leaves out counts as matched too. */
async function hasFile(glob: string, sha: Sha, call: GitCall): Promise<boolean> {
  const pathspec = toPathspec(glob.replace(/^!/, ""));
  const nothing = (await gitText(["hash-object", "-t", "tree", "--stdin"], call)).trim();
  const args = ["diff-tree", "-r", "--quiet", nothing, sha, "--", pathspec];
  return (await runGit(args, { ...call, globs: true, answers: [0, 1] })).exitCode === 1;
}

async function writeRefs(path: string, refs: Map<string, Sha>): Promise<void> {
  const lines = [...refs].map(([ref, sha]) => `${sha} ${ref}\n`).sort();
  await writeFile(join(path, "packed-refs"), lines.join(""));
}
