import { access } from "node:fs/promises";
import type { Sha } from "../delivery/types.ts";
import { checkSha } from "./arguments.ts";
import { type GitCall, GitFailed, gitText } from "./git.ts";

/** A commit as a list of changes shows it. */
export interface ComparedCommit {
  sha: Sha;
  subject: string;
  author: string;
  /** ms since the epoch. */
  at: number;
}

export interface ComparedFile {
  path: string;
  status: "added" | "removed" | "changed";
  /** Lines; null: the file is not text. */
  added: number | null;
  removed: number | null;
}

export interface Comparison {
  /** Commits of `to` that `from` lacks, newest first. */
  commits: ComparedCommit[];
  /** Commits of `from` that `to` lacks. */
  commitsBack: ComparedCommit[];
  files: ComparedFile[];
  /** There are more commits or files than the limits allow. */
  isCut: boolean;
}

/** ms. */
const TIME_LIMIT = 20_000;

/**
 * Compares two commits of a mirror that this process only reads: another process may write it at the same time.
 * @returns null if there is no mirror at the path, or if it lacks one of the commits
 * @throws TransientError `git-timeout`
 */
export async function compareCommits(
  gitDir: string,
  { from, to }: { from: Sha; to: Sha },
  { maxCommits, maxFiles, signal }: { maxCommits: number; maxFiles: number; signal: AbortSignal },
): Promise<Comparison | null> {
  for (const sha of [from, to]) checkSha(sha);
  if (
    !(await access(gitDir).then(
      () => true,
      () => false,
    ))
  )
    return null;
  const call: GitCall = { gitDir, signals: [signal], timeLimit: TIME_LIMIT };
  try {
    const commits = await commitsOnlyIn(to, from, maxCommits, call);
    const commitsBack = await commitsOnlyIn(from, to, maxCommits, call);
    const files = await filesBetween(from, to, call);
    const isCut = commits.length > maxCommits || commitsBack.length > maxCommits || files.length > maxFiles;
    return {
      commits: commits.slice(0, maxCommits),
      commitsBack: commitsBack.slice(0, maxCommits),
      files: files.slice(0, maxFiles),
      isCut,
    };
  } catch (error) {
    // A commit that left all branches is removed one day.
    if (error instanceof GitFailed) return null;
    throw error;
  }
}

/** One more than `most`, if there are more. */
async function commitsOnlyIn(sha: Sha, other: Sha, most: number, call: GitCall): Promise<ComparedCommit[]> {
  const format = "--format=%H%x00%an%x00%ct%x00%s";
  const options = ["-z", format, "--no-show-signature", `--max-count=${most + 1}`, "--end-of-options"];
  const fields = (await gitText(["log", ...options, sha, `^${other}`], call)).split("\0");
  const commits: ComparedCommit[] = [];
  for (let index = 0; index + 3 < fields.length; index += 4) {
    const [id = "", author = "", seconds = "", subject = ""] = fields.slice(index, index + 4);
    commits.push({ sha: id, author, at: Number(seconds) * 1_000, subject });
  }
  return commits;
}

const STATUSES: Record<string, ComparedFile["status"]> = { A: "added", D: "removed" };

/** By path. Of each file git prints first its kind of change, and after all of those its counts of lines. */
async function filesBetween(from: Sha, to: Sha, call: GitCall): Promise<ComparedFile[]> {
  const options = ["-r", "-z", "--raw", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv"];
  const fields = (await gitText(["diff-tree", ...options, "--end-of-options", from, to], call)).split("\0");
  const statuses = new Map<string, ComparedFile["status"]>();
  const files: ComparedFile[] = [];
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] ?? "";
    if (field.startsWith(":")) {
      index += 1;
      statuses.set(fields[index] ?? "", STATUSES[field.at(-1) ?? ""] ?? "changed");
      continue;
    }
    const [, added = "", removed = "", path = ""] = /^(\d+|-)\t(\d+|-)\t(.+)$/s.exec(field) ?? [];
    if (path === "") continue;
    const count = (digits: string) => (digits === "-" ? null : Number(digits));
    files.push({ path, status: statuses.get(path) ?? "changed", added: count(added), removed: count(removed) });
  }
  return files;
}
