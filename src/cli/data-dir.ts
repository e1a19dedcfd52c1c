import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "libsql";
import { ConfigError } from "../delivery/errors.ts";

/** What of a data directory one process holds for itself: receiver and worker may share a directory, two of a kind may not. */
export type Role = "receiver" | "worker";

export interface DataDirLock {
  release(): void;
}

/**
 * Holds the directory in these roles until the process ends, however it ends: the lock is the kernel's, on a SQLite file,
 * so a killed process leaves none behind, and containers that share a volume see it too.
 * @throws ConfigError `data-dir-locked`, `data-dir-unusable`
 */
export async function lockDataDir(dataDir: string, roles: Role[]): Promise<DataDirLock> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ConfigError("data-dir-unusable", `dataDir: ${dataDir} cannot be made: ${(error as Error).message}`);
  }
  const held: DataDirLock[] = [];
  for (const role of roles) {
    try {
      held.push(lock(join(dataDir, `${role}.lock`)));
    } catch (error) {
      for (const each of held) each.release();
      throw new ConfigError(
        "data-dir-locked",
        `dataDir: another deliverd ${role} uses ${dataDir}. Stop it, or give this one a directory of its own.`,
        { cause: error },
      );
    }
  }
  return {
    release() {
      for (const each of held) each.release();
    },
  };
}

function lock(file: string): DataDirLock {
  const database = new Database(file);
  try {
    database.exec(
      "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (at TEXT); COMMIT",
    );
  } catch (error) {
    database.close();
    throw error;
  }
  return { release: () => void database.close() };
}

/** The admin token: from the configuration, or made once and kept in dataDir/admin-token (0600). */
export async function loadAdminToken(
  dataDir: string,
  configured: string | undefined,
): Promise<{ token: string; file: string | null }> {
  if (configured !== undefined) return { token: configured, file: null };
  const file = join(dataDir, "admin-token");
  return { token: await keptIn(file, () => randomBytes(32).toString("base64url")), file };
}

/** Names this directory for ever: which store holds a frozen content. */
export function loadStoreId(dataDir: string): Promise<string> {
  return keptIn(join(dataDir, "store-id"), () => randomBytes(8).toString("hex"));
}

async function keptIn(file: string, make: () => string): Promise<string> {
  try {
    await writeFile(file, `${make()}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return (await readFile(file, "utf8")).trim();
}
