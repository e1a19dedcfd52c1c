import type { Sha } from "../delivery/types.ts";

/** A commit as its object tells it. */
export interface MirrorCommit {
  sha: Sha;
  committedAt: Date;
  message: string;
  /** `Name <address>`. */
  author: string;
  parents: Sha[];
}

/** Reads a commit object: headers, an empty line, the message, all in the encoding that a header names. */
export function parseCommit(sha: Sha, bytes: Buffer): MirrorCommit {
  const latin = bytes.toString("latin1");
  const end = latin.indexOf("\n\n");
  const raw = end < 0 ? latin : latin.slice(0, end);
  const encoding = /^encoding (.+)$/m.exec(raw)?.[1] ?? "utf-8";
  const headers = decode(bytes.subarray(0, end < 0 ? bytes.length : end), encoding).split("\n");
  const valuesOf = (name: string) =>
    headers.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const author = /^(.*?) ?<(.*?)>/.exec(valuesOf("author")[0] ?? "");
  const seconds = / (\d+) [+-]\d+$/.exec(valuesOf("committer")[0] ?? "")?.[1] ?? "0";
  return {
    sha,
    committedAt: new Date(Number(seconds) * 1000),
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

function decode(bytes: Buffer, encoding: string): string {
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    // Whoever made up an encoding gets what the bytes are as UTF-8.
    return bytes.toString("utf8");
  }
}
