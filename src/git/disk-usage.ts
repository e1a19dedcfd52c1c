import { readdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of all files in a folder, and when it was last used (ms since the epoch). Null: there is no such folder. */
export async function usageOf(folder: string): Promise<{ bytes: number; usedAt: number } | null> {
  const about = await stat(folder).catch(() => null);
  if (about === null) return null;
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
    const file = await stat(join(folder, name)).catch(() => null);
    if (file?.isFile()) bytes += file.size;
  }
  return { bytes, usedAt: about.mtimeMs };
}

/** The folder's modification time says when it was last used: git itself rarely changes it. */
export async function noteUse(folder: string): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now).catch(() => {});
}
