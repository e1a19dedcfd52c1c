import { randomBytes } from "node:crypto";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Database from "libsql";
import { ConfigError } from "../delivery/errors.ts";
import { makeFolder } from "../run/make-folder.ts";
import { dataDirError } from "./data-dir-errors.ts";

/** A receiver and a worker may share a data directory; two processes of the same role may not. */
export type Role = "receiver" | "worker";

export interface DataDirLock {
  release(): void;
}

/**
 * Locks the data directory for these roles. The lock is a kernel lock on a SQLite file: it ends with the process, even
 * a killed one, and it works between containers that share a volume.
 * @throws ConfigError `data-dir-locked`, `data-dir-unusable`
 */
export async function lockDataDir(dataDir: string, roles: Role[]): Promise<DataDirLock> {
  await makeFolder(dataDir, 0o700).catch((error: unknown) => {
    throw dataDirError(dataDir, error);
  });
  const locks: DataDirLock[] = [];
  for (const role of roles) {
    try {
      locks.push(await lock(join(dataDir, `${role}.lock`)));
    } catch (error) {
      for (const each of locks) each.release();
      throw isHeld(error) ? lockedError(dataDir, role, error) : dataDirError(dataDir, error);
    }
  }
  return {
    release() {
      for (const each of locks) each.release();
    },
  };
}

/** @throws the error of the system, or SQLite's with its code and the path */
async function lock(file: string): Promise<DataDirLock> {
  // SQLite says only that it cannot open a file. The system says why.
  await (await open(file, "a", 0o600)).close();
  const database = new Database(file);
  try {
    database.exec(
      "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (at TEXT); COMMIT",
    );
  } catch (error) {
    database.close();
    throw Object.assign(error as Error, { path: file });
  }
  return { release: () => void database.close() };
}

function isHeld(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^SQLITE_(?:BUSY|LOCKED)/.test(String(error.code));
}

function lockedError(dataDir: string, role: Role, cause: unknown): ConfigError {
  return new ConfigError(
    "data-dir-locked",
    `dataDir: another deliverd ${role} uses ${dataDir}. Stop it, or set dataDir of this one to another directory.`,
    { cause },
  );
}

/** The admin token from the configuration, or from dataDir/admin-token (mode 0600), which is created if missing. */
export async function loadAdminToken(
  dataDir: string,
  configured: string | undefined,
): Promise<{ token: string; file: string | null }> {
  if (configured !== undefined) return { token: configured, file: null };
  const file = join(dataDir, "admin-token");
  return { token: await readOrCreate(file, () => randomBytes(32).toString("base64url")), file };
}

/** The id of this data directory's store. It never changes, and tells which store has a frozen content. */
export function loadStoreId(dataDir: string): Promise<string> {
  return readOrCreate(join(dataDir, "store-id"), () => randomBytes(8).toString("hex"));
}

/** The text of a file, which is created if missing. Of several processes that create it, one wins. */
async function readOrCreate(file: string, create: () => string): Promise<string> {
  try {
    await writeFile(file, `${create()}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return (await readFile(file, "utf8")).trim();
}
