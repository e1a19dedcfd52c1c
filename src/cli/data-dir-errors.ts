import { userInfo } from "node:os";
import { ConfigError } from "../delivery/errors.ts";

/**
 * The error of a data directory that cannot be used: which file, why, and what to do. Other errors are returned as they
 * are.
 */
export function dataDirError(dataDir: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ConfigError) return error;
  const { code = "", path = dataDir } = error as NodeJS.ErrnoException;
  const reason = REASONS[code];
  if (reason === undefined || !isAbout(path, dataDir)) return error;
  return new ConfigError("data-dir-unusable", `dataDir: ${shown(path)} ${reason(dataDir)}`, { cause: error });
}

/** The directory, what is in it, and the folders above it, which it would have been made in. */
function isAbout(path: string, dataDir: string): boolean {
  return path === dataDir || path.startsWith(`${dataDir}/`) || dataDir.startsWith(path.replace(/\/?$/, "/"));
}

const MAX_SHOWN = 120;

function shown(path: string): string {
  return path.length > MAX_SHOWN ? `${path.slice(0, MAX_SHOWN)}…` : path;
}

const elsewhere =
  "Set dataDir (or DELIVERD_DATA_DIR) to a folder on a disk of this machine that deliverd may write to.";

/** What is wrong, and what to do, by the code of the system. SQLite has codes of its own. */
const REASONS: Record<string, (dataDir: string) => string> = {
  EACCES: notAllowed,
  EPERM: notAllowed,
  SQLITE_PERM: notAllowed,
  SQLITE_CANTOPEN: notAllowed,
  SQLITE_READONLY: notAllowed,
  SQLITE_READONLY_DIRECTORY: notAllowed,
  EROFS: () => `is on a file system that is read-only. Mount a volume there. ${elsewhere}`,
  ENOENT: () => `cannot be made: the system has no folder there, as under /proc, or a link leads nowhere. ${elsewhere}`,
  ENOTDIR: () => `is a file, or below a file; a folder is needed. ${elsewhere}`,
  EEXIST: () => `cannot be made: a link that leads nowhere has that name. Remove the link. ${elsewhere}`,
  ENAMETOOLONG: () => `has a name that is too long for the file system. ${elsewhere}`,
  ELOOP: () => `is a link that leads back to itself. Remove it. ${elsewhere}`,
  ENOSPC: diskFull,
  EDQUOT: diskFull,
  SQLITE_FULL: diskFull,
  SQLITE_IOERR_LOCK: cannotLock,
  SQLITE_PROTOCOL: cannotLock,
  ENOLCK: cannotLock,
};

function notAllowed(dataDir: string): string {
  const { uid, username } = userInfo();
  if (uid === 0) return `may not be written, not even by root. ${elsewhere}`;
  return (
    `may not be read and written by the user of deliverd (${username}, uid ${uid}). ` +
    `Give it to that user, with all that is in it: chown -R ${uid} ${dataDir}`
  );
}

function diskFull(): string {
  return "cannot be written: the disk or its quota is full. Make room there.";
}

function cannotLock(): string {
  return `is on a file system that cannot lock files, as some network file systems are. ${elsewhere}`;
}
