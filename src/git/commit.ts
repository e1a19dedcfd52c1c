import { UserError } from "../delivery/errors.ts";
import type { Sha } from "../delivery/types.ts";

/** A commit, as read from its object. */
export interface MirrorCommit {
  sha: Sha;
  /** Null: the object has no time between 1970 and 9999. git does not check dates. */
  committedAt: Date | null;
  message: string;
  /** `Name <address>`. */
  author: string;
  parents: Sha[];
}

/** A commit that can be built: its builds, labels and names contain its time. */
export type DatedCommit = MirrorCommit & { committedAt: Date };

/** @throws UserError("commit-date") */
export function requireDate(commit: MirrorCommit): DatedCommit {
  const { sha, committedAt } = commit;
  if (committedAt !== null) return { ...commit, committedAt };
  throw new UserError(
    "commit-date",
    `The commit ${sha} has no committer date between the years 1970 and 9999, but its artifacts must ` +
      "hold that date. Make the commit again (git commit --amend --no-edit) and push it.",
  );
}

/** The last second that RFC 3339 can write, in seconds since the epoch. */
const LAST_SECOND = 253_402_300_799;

/** Reads a commit object: headers, an empty line, and the message, in the encoding that a header names. */
export function parseCommit(sha: Sha, bytes: Buffer): MirrorCommit {
  const latin = bytes.toString("latin1");
  const end = latin.indexOf("\n\n");
  const raw = end < 0 ? latin : latin.slice(0, end);
  const encoding = /^encoding (.+)$/m.exec(raw)?.[1] ?? "utf-8";
  const headers = decode(bytes.subarray(0, end < 0 ? bytes.length : end), encoding).split("\n");
  const valuesOf = (name: string) =>
    headers.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const author = /^(.*?) ?<(.*?)>/.exec(valuesOf("author")[0] ?? "");
  return {
    sha,
    committedAt: timeOf(valuesOf("committer")[0] ?? ""),
    message:
      end < 0
        ? ""
        : decode(bytes.subarray(end + 2), encoding)
            .replace(/^\n+/, "")
            .trimEnd(),
    author: `${author?.[1] ?? ""} <${author?.[2] ?? ""}>`,
    parents: valuesOf("parent"),
  };
}

/** The time after the address: seconds, and a zone that old tools left out. */
function timeOf(committer: string): Date | null {
  const [, seconds] = /.*>\s*(\d+)(?:\s|$)/.exec(committer) ?? [];
  return seconds !== undefined && Number(seconds) <= LAST_SECOND ? new Date(Number(seconds) * 1000) : null;
}

function decode(bytes: Buffer, encoding: string): string {
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    // An unknown encoding is read as UTF-8.
    return bytes.toString("utf8");
  }
}
