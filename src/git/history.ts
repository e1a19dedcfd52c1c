import type { HistoryCommit } from "../delivery/history.ts";
import type { Sha } from "../delivery/types.ts";
import { type GitCall, gitText, streamGit } from "./git.ts";
import { linesOf, splitStream } from "./lines.ts";

/**
 * A commit and what came before it, `most` of them, newest first by their own dates; of each, whether anything under the
 * pathspecs differs from each parent. Two processes, however many there are. git matches, not our own process: a hostile pattern costs it
 * time, and it has a limit.
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

/** Those of the pairs `<commit> <parent>` between which anything under the pathspecs differs. */
async function differingOf(pairs: string[], pathspecs: string[], call: GitCall): Promise<Set<string>> {
  const differing = new Set<string>();
  if (pairs.length === 0) return differing;
  const stdin = pairs.map((pair) => `${pair}\n`).join("");
  const options = ["--stdin", "-r", "--raw", "--always", "--no-renames", "--no-ext-diff"];
  let at = -1;
  // Each pair in its turn: its commit alone, then a line with a colon in front for each file that differs.
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
