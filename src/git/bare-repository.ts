import { access, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type GitCall, runGit } from "./git.ts";

/** The hash of a repository's object ids. */
export type Format = "sha1" | "sha256";

/**
 * Makes a bare repository at `path` unless there is one. It appears complete or not at all, even if the process dies.
 * @returns whether there was one
 */
export async function ensureBareRepository(
  path: string,
  format: Format,
  call: Omit<GitCall, "gitDir">,
): Promise<boolean> {
  if (await exists(path)) return true;
  await mkdir(dirname(path), { recursive: true });
  const draft = await mkdtemp(`${path}.new-`);
  try {
    await runGit(
      ["init", "--quiet", "--bare", "--template=", `--object-format=${format}`, "--initial-branch=main", draft],
      call,
    );
    await mkdir(join(draft, "info"), { recursive: true });
    // This file overrides every .gitattributes in a tree, so that an archive contains what a checkout contains.
    await writeFile(join(draft, "info", "attributes"), "* -export-ignore -export-subst\n");
    await rename(draft, path);
  } catch (error) {
    if (!(await exists(path))) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return false;
}

/** Removes what a killed git left: its locks would stop every later git. Call it only while no git writes there. */
export async function removeGitLeftovers(path: string): Promise<void> {
  const draft = `${path}.new-`;
  for (const name of await namesIn(dirname(path))) {
    const sibling = join(dirname(path), name);
    if (sibling.startsWith(draft)) await rm(sibling, { recursive: true, force: true });
  }
  await removeLocks(path);
}

/** The same, but keeps the draft of a repository that is just being made again because somebody deleted it. */
export async function removeLocks(path: string): Promise<void> {
  const locks = [
    ...(await filesIn(path, ["refs", "objects/info", "info"])),
    ...(await namesIn(path)).map((name) => join(path, name)),
  ];
  for (const file of locks) if (/\.lock$|\/gc\.pid$/.test(file)) await rm(file, { force: true });
  for (const name of await namesIn(join(path, "objects/pack"))) {
    if (/^(?:tmp_|\.tmp-)|\.lock$/.test(name)) await rm(join(path, "objects/pack", name), { force: true });
  }
}

async function filesIn(root: string, folders: string[]): Promise<string[]> {
  const found = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(root, folder), { recursive: true }).catch(none);
      return names.map((name) => join(root, folder, name));
    }),
  );
  return found.flat();
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(none);
}

function none(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT") return [];
  throw error;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
