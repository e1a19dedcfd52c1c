import type { HistoryCommit } from "../delivery/history.ts";
import type { Sha } from "../delivery/types.ts";
import { type GitCall, gitText, streamGit } from "./git.ts";
import { linesOf, splitStream } from "./lines.ts";

/**
 * A commit and up to `most` commits before it, newest first by their dates, each with whether anything under the
 * pathspecs differs from each parent. It takes two processes in all. git matches the patterns: a hostile one costs git
 * time, and git has a time limit.
 */
export async function readHistory(
  sha: Sha,
  pathspecs: string[],
  most: number,
  call: GitCall,
): Promise<Map<Sha, HistoryCommit>> {
  const listed = await gitText(["rev-list", "--parents", `--max-count=${most}`, "--end-of-options", sha], call);
  const commits = linesOf(listed).map((line) => line.split(" "));
  const pairs = commits.flatMap(([child = "", ...parents]) => parents.map((parent) => `${child} ${parent}`));
  const differing = await differingOf(pairs, pathspecs, call);
  return new Map(
    commits.map(([child = "", ...parents]): [Sha, HistoryCommit] => {
      const steps = parents.map((parent) => ({ sha: parent, differs: differing.has(`${child} ${parent}`) }));
      return [child, { parents: steps }];
    }),
  );
}

/** The pairs `<commit> <parent>` that differ under the pathspecs. */
async function differingOf(pairs: string[], pathspecs: string[], call: GitCall): Promise<Set<string>> {
  const differing = new Set<string>();
  if (pairs.length === 0) return differing;
  const stdin = pairs.map((pair) => `${pair}\n`).join("");
  const options = ["--stdin", "-r", "--raw", "--always", "--no-renames", "--no-ext-diff"];
  let at = -1;
  // For each pair: a line with the commit, then a line with a leading colon for each file that differs.
  const lines = splitStream(
    streamGit(["diff-tree", ...options, "--", ...pathspecs], { ...call, stdin, globs: true }),
    "\n",
  );
  for await (const line of lines) {
    if (!line.startsWith(":")) at += 1;
    else differing.add(pairs[at] ?? "");
  }
  if (at !== pairs.length - 1) throw new Error(`git compared ${at + 1} of ${pairs.length} pairs of commits`);
  return differing;
}
