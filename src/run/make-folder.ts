import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a folder and those above it. Node's own `recursive` never returns in places such as /proc, where a folder cannot
 * be made and the one above exists: it tries without end, and spins a core.
 * @returns the first one that was missing, as Node does
 * @throws the error of the system for the first folder that cannot be made; ENOTDIR if a file is in its place
 */
export async function makeFolder(path: string, mode = 0o777): Promise<string | undefined> {
  const missing: string[] = [];
  for (let folder = path; !(await isFolder(folder)); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    await mkdir(folder, { mode }).catch(async (error: NodeJS.ErrnoException) => {
      // Another process may make it at the same time.
      if (error.code !== "EEXIST" || !(await isFolder(folder))) throw error;
    });
  }
  return missing[0];
}

/** @throws ENOTDIR if it is something else */
async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (found === null || found.isDirectory()) return found !== null;
  throw Object.assign(new Error(`ENOTDIR: not a directory, '${path}'`), { code: "ENOTDIR", path });
}
