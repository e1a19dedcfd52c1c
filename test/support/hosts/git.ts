import { spawn } from "node:child_process";
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

/** Nothing of the machine's or the user's own configuration reaches this git, and it asks nobody for a password. */
export const gitEnvironment: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: "/nonexistent",
  LC_ALL: "C.UTF-8",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
};

/** Runs git in `directory` and gives what it prints, without the last line break. @throws Error with what it said, when it fails. */
export async function git(directory: string, args: string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const child = spawn("git", args, { cwd: directory, env: { ...gitEnvironment, ...environment } });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`git ${args.join(" ")} ended with ${code}: ${Buffer.concat(err).toString()}`);
  return Buffer.concat(out).toString().replace(/\n$/, "");
}

/** An empty bare repo that serves what GitHub serves: any object by its id, and partial clones. */
export async function initBare(directory: string, defaultBranch: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await git(directory, ["init", "--quiet", "--bare", "--template=", `--initial-branch=${defaultBranch}`]);
  // By hand, since a repo is made for nearly every test: two runs of git the fewer.
  await appendFile(join(directory, "config"), "[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n");
}

/** By directory and sha: a commit never changes, and GitHub keeps it. Each question would start a process, on the cores of what is tested. */
const commits = new Map<string, Promise<CommitFacts | null>>();

/** What `git log` tells of one commit, or of the one that a tag object leads to; null where there is none. */
export async function commitFacts(directory: string, sha: string): Promise<CommitFacts | null> {
  const key = `${directory} ${sha}`;
  const asked =
    commits.get(key) ??
    commitsOf(directory, ["-1", sha]).then(
      ([one]) => one ?? null,
      () => null,
    );
  commits.set(key, asked);
  const found = await asked;
  if (found === null) commits.delete(key);
  return found;
}

/** The commit that a full sha, `heads/x`, `tags/x` or a short branch or tag name stands for. Null where there is none; a tag object's id is no commit. */
export async function resolveCommit(directory: string, ref: string): Promise<string | null> {
  if (/^[0-9a-f]{40}$/.test(ref)) return (await commitFacts(directory, ref))?.sha === ref ? ref : null;
  const names = /^(heads|tags)\//.test(ref) ? [`refs/${ref}`] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
  for (const name of names) {
    const sha = await revParse(directory, `${name}^{commit}`);
    if (sha !== null) return sha;
  }
  return null;
}

/** Null for a ref that does not exist. An annotated tag gives its tag object. */
export function revParse(directory: string, revision: string): Promise<string | null> {
  return git(directory, ["rev-parse", "--verify", "--quiet", "--end-of-options", revision]).catch(() => null);
}

export interface CommitFacts {
  sha: string;
  tree: string;
  parents: string[];
  author: { name: string; email: string; date: string };
  committer: { name: string; email: string; date: string };
  message: string;
  added: string[];
  removed: string[];
  modified: string[];
}

/** What `git log <range>` tells, oldest first. */
export async function commitsOf(directory: string, range: string[]): Promise<CommitFacts[]> {
  const format = `--format=${["", "%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B", ""].join("%x00")}`;
  const output = await git(directory, ["log", "--reverse", "--name-status", "--no-renames", format, ...range]);
  const fields = output.split("\0").slice(1);
  const commits: CommitFacts[] = [];
  for (let at = 0; at + 11 <= fields.length; at += 11) commits.push(factsOf(fields.slice(at, at + 11)));
  return commits;
}

function factsOf(fields: string[]): CommitFacts {
  const [
    sha = "",
    tree = "",
    parents = "",
    an = "",
    ae = "",
    ad = "",
    cn = "",
    ce = "",
    cd = "",
    body = "",
    files = "",
  ] = fields;
  const changed = (letter: string) =>
    files
      .split("\n")
      .filter((line) => line.startsWith(`${letter}\t`))
      .map((line) => line.slice(2));
  return {
    sha,
    tree,
    parents: parents.split(" ").filter(Boolean),
    author: { name: an, email: ae, date: ad },
    committer: { name: cn, email: ce, date: cd },
    message: body.trimEnd(),
    added: changed("A"),
    removed: changed("D"),
    modified: changed("M"),
  };
}
