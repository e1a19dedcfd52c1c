import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { ConfigError } from "../delivery/errors.ts";
import { BRANCHES, TAGS } from "../delivery/refs.ts";
import type { Sha } from "../delivery/types.ts";
import { isRef } from "./arguments.ts";
import type { Format } from "./bare-repository.ts";
import { linesOf } from "./lines.ts";

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** What somebody has checked out, as their own git sees it. */
export interface Checkout {
  /** The root of its files. */
  root: string;
  format: Format;
  /** Its objects, which a repository beside it can use. */
  objects: string;
  index: string;
  /** The file that lists where a shallow clone ends. Null: the clone is whole. */
  shallow: string | null;
  /** Null: nothing has been committed yet. */
  head: Sha | null;
  /** The short name of the branch that is checked out. Null: none is. */
  branch: string | null;
  /** Files differ from HEAD, or are new. */
  isDirty: boolean;
  remote: Remote | null;
  /** Branches as the remote has them, or the own ones if there is no remote, and tags: objects by their full refs. */
  refs: Map<string, Sha>;
}

export interface Remote {
  url: string;
  /** The short name of its default branch. Null: not known here. */
  defaultBranch: string | null;
}

/**
 * Asks the user's git, with the user's own settings: they decide which files are ignored, and how they are stored.
 * Changes nothing. Null: the folder is in no checkout. @throws ConfigError `checkout-unreadable`, `git-missing`
 */
export async function readCheckout(dir: string): Promise<Checkout | null> {
  await requireFolder(dir);
  const top = await ask(dir, ["rev-parse", "--show-toplevel"]).catch((error: unknown) => {
    if (error instanceof ConfigError && /not a git repository/.test(error.message)) return null;
    throw error;
  });
  if (top === null) return null;
  const root = top.replace(/\n$/, "");
  const paths = ["objects", "index", "shallow"].flatMap((name) => ["--git-path", name]);
  const [format = "sha1", isShallow, objects = "", index = "", shallow = ""] = linesOf(
    await ask(root, ["rev-parse", "--show-object-format", "--is-shallow-repository", ...paths]),
  );
  const [head, branch, status, remote] = await Promise.all([
    askMaybe(root, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]),
    askMaybe(root, ["symbolic-ref", "--quiet", "--short", "HEAD"]),
    // A submodule is an empty folder in a build, so only its commit counts.
    ask(root, ["status", "--porcelain", "-z", "--ignore-submodules=dirty"]),
    remoteOf(root),
  ]);
  return {
    root,
    format: format === "sha256" ? "sha256" : "sha1",
    objects: resolve(root, objects),
    index: resolve(root, index),
    shallow: isShallow === "true" ? resolve(root, shallow) : null,
    head,
    branch,
    isDirty: status !== "",
    remote: remote === null ? null : { url: remote.url, defaultBranch: remote.defaultBranch },
    refs: await refsOf(root, remote?.name ?? null),
  };
}

/** The remote of the branch that is checked out, else `origin`, else the only one. */
async function remoteOf(root: string): Promise<(Remote & { name: string }) | null> {
  const names = linesOf(await ask(root, ["remote"]));
  const upstream = await askMaybe(root, ["rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"]);
  const name =
    names.find((each) => upstream?.startsWith(`${each}/`)) ??
    names.find((each) => each === "origin") ??
    (names.length === 1 ? names[0] : undefined);
  if (name === undefined) return null;
  const url = await askMaybe(root, ["remote", "get-url", name]);
  const head = await askMaybe(root, ["symbolic-ref", "--quiet", "--short", `refs/remotes/${name}/HEAD`]);
  return url === null ? null : { name, url, defaultBranch: head?.slice(name.length + 1) ?? null };
}

async function refsOf(root: string, remote: string | null): Promise<Map<string, Sha>> {
  const from = remote === null ? BRANCHES : `refs/remotes/${remote}/`;
  const lines = linesOf(await ask(root, ["for-each-ref", "--format=%(objectname) %(symref) %(refname)", from, TAGS]));
  return new Map(
    lines.flatMap((line): [string, Sha][] => {
      const [sha = "", symref, ref = ""] = line.split(" ");
      const full = ref.startsWith(from) ? BRANCHES + ref.slice(from.length) : ref;
      return symref === "" && isRef(full) ? [[full, sha]] : [];
    }),
  );
}

/** Runs git in the checkout with these further variables. @throws ConfigError `checkout-unreadable`, `git-missing` */
export async function ask(cwd: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const own = { ...process.env, LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0", ...env };
  try {
    return (await run("git", args, { cwd, env: own, maxBuffer: MAX_OUTPUT_BYTES })).stdout;
  } catch (error) {
    const { code, stderr = "", message } = error as { code?: unknown; stderr?: string; message: string };
    if (code === "ENOENT")
      throw new ConfigError("git-missing", "The program git was not found: install git 2.39 or newer.");
    const said = stderr.trim() === "" ? message : plainWords(stderr);
    throw new ConfigError("checkout-unreadable", `git ${args[0]} failed in ${cwd}: ${said}`, { cause: error });
  }
}

/** Without a folder to run in, the system says only ENOENT, as it does without git. */
async function requireFolder(dir: string): Promise<void> {
  const found = await stat(dir).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === "ENOENT" ? "there is no such folder" : `it cannot be read (${error.code})`;
    throw new ConfigError("checkout-unreadable", `${dir}: ${why}. Name a folder of the checkout.`, { cause: error });
  });
  if (!found.isDirectory())
    throw new ConfigError("checkout-unreadable", `${dir} is a file. Name the folder of the checkout that it is in.`);
}

const MAX_SAID_LINES = 3;

/** What a person has to do, where git tells it at length or not at all. Each is matched with git's own words. */
const REMEDIES: [RegExp, (match: RegExpExecArray) => string][] = [
  [
    /detected dubious ownership in repository at '([^']+)'/,
    ([, root]) =>
      `it belongs to another user, and git reads such a repository only if you allow it: ` +
      `git config --global --add safe.directory ${root}`,
  ],
  [
    /'([^']+)' does not have a commit checked out/,
    ([, folder]) => `${folder} is a git repository without a commit. Commit there, or list it in .gitignore.`,
  ],
  [
    /error: open\("([^"]+)"\): (.+)/,
    ([, file, why]) => `${file} cannot be read (${why}). Let your user read it, or list it in .gitignore.`,
  ],
  [/not a work tree|must be run in a work tree/, () => "it is a bare repository, without files. Name a checkout."],
];

/** Git's error without its hints and warnings, of which there may be one for each file. */
function plainWords(stderr: string): string {
  for (const [pattern, remedy] of REMEDIES) {
    const match = pattern.exec(stderr);
    if (match !== null) return remedy(match);
  }
  const lines = stderr.split("\n").map((line) => line.trim());
  const errors = lines.filter((line) => line !== "" && !/^(?:hint|warning):/.test(line));
  return errors
    .slice(0, MAX_SAID_LINES)
    .map((line) => line.replace(/^(?:fatal|error): /, ""))
    .join("; ");
}

/** The answer without its line end. Null: git has none. */
async function askMaybe(root: string, args: string[]): Promise<string | null> {
  const answer = await ask(root, args).catch((error: unknown) => {
    if (error instanceof ConfigError && error.code === "checkout-unreadable") return "";
    throw error;
  });
  return answer.trim() || null;
}
