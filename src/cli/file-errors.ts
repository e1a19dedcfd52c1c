import { tmpdir, userInfo } from "node:os";
import { EXIT, Failure } from "./exit.ts";

/** Where a command wanted to write. */
export interface WrittenPlace {
  /** The file or folder, where the error does not name it. */
  path: string;
  /** How a person chooses another place, as a whole sentence. */
  elsewhere: string;
  /** What the person has to give to the user of deliverd, as `chown` takes it. Left out: `path`. */
  owned?: string;
}

/**
 * Why a file or folder cannot be used, and what to do, where the system or SQLite says only a code. Null: the error is
 * of another kind.
 */
export function explainFileError(error: unknown, place: WrittenPlace): string | null {
  if (!(error instanceof Error)) return null;
  const { code = "", syscall = "", path = place.path } = error as NodeJS.ErrnoException;
  // The same codes also speak of programs and ports.
  const reason = /^(?:spawn|connect|listen|bind|kill)/.test(syscall) ? undefined : REASONS[code];
  return reason === undefined ? null : `${shown(path)} ${reason(place)}`;
}

/** The same, where only the error knows which file it is. */
export function explainUnnamedFileError(error: unknown): string | null {
  const path = error instanceof Error && "path" in error ? String(error.path) : "A file";
  const isTemporary = path.startsWith(tmpdir());
  return explainFileError(error, {
    path,
    elsewhere: isTemporary ? "Set TMPDIR to a folder that may be written." : "Choose another place.",
  });
}

/** The error as a Failure with a reason and a remedy, if it is one of a file; else the error itself. */
export function fileFailure(error: unknown, place: WrittenPlace): unknown {
  const text = error instanceof Failure ? null : explainFileError(error, place);
  return text === null ? error : new Failure(EXIT.failed, text);
}

const MAX_SHOWN = 120;

function shown(path: string): string {
  return path.length > MAX_SHOWN ? `${path.slice(0, MAX_SHOWN)}…` : path;
}

/** What is wrong, and what to do, by the code of the system. SQLite has codes of its own. */
const REASONS: Record<string, (place: WrittenPlace) => string> = {
  EACCES: notAllowed,
  EPERM: notAllowed,
  SQLITE_PERM: notAllowed,
  SQLITE_CANTOPEN: notAllowed,
  SQLITE_READONLY: notAllowed,
  SQLITE_READONLY_DIRECTORY: notAllowed,
  EROFS: ({ elsewhere }) => `is on a file system that is read-only. Mount a volume there. ${elsewhere}`,
  ENOENT: ({ elsewhere }) =>
    `cannot be made: the system has no folder there, as under /proc, or a link leads nowhere. ${elsewhere}`,
  ENOTDIR: ({ elsewhere }) => `is a file, or below a file; a folder is needed. ${elsewhere}`,
  EISDIR: ({ elsewhere }) => `is a folder; a file is needed. ${elsewhere}`,
  EEXIST: ({ elsewhere }) => `cannot be made: a link that leads nowhere has that name. Remove the link. ${elsewhere}`,
  ENAMETOOLONG: ({ elsewhere }) => `has a name that is too long for the file system. ${elsewhere}`,
  ELOOP: ({ elsewhere }) => `is a link that leads back to itself. Remove it. ${elsewhere}`,
  ENOSPC: diskFull,
  EDQUOT: diskFull,
  SQLITE_FULL: diskFull,
  EFBIG: ({ elsewhere }) =>
    `cannot be written: the file system or a limit (ulimit -f) allows no larger file. ${elsewhere}`,
  EIO: () => "cannot be written: the disk reports an error (EIO). Look at the log of the system (dmesg).",
  SQLITE_IOERR_LOCK: cannotLock,
  SQLITE_PROTOCOL: cannotLock,
  ENOLCK: cannotLock,
};

function notAllowed({ path, elsewhere, owned = path }: WrittenPlace): string {
  const { uid, username } = userInfo();
  if (uid === 0) return `may not be written, not even by root. ${elsewhere}`;
  return (
    `may not be read and written by the user of deliverd (${username}, uid ${uid}). ` +
    `Give it to that user, with all that is in it: chown -R ${uid} ${owned}`
  );
}

function diskFull(): string {
  return "cannot be written: the disk or its quota is full. Make room there.";
}

function cannotLock({ elsewhere }: WrittenPlace): string {
  return `is on a file system that cannot lock files, as some network file systems are. ${elsewhere}`;
}
