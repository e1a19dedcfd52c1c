import { setMaxListeners } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Mirror, MirrorOptions } from "../../../src/git/mirror.ts";
import { Mirrors } from "../../../src/git/mirrors.ts";
import { type Files, writeFiles } from "../fixtures/work-tree.ts";
import { type FaultyProxy, startFaultyProxy } from "../network/faulty-proxy.ts";
import { tempDir } from "../processes/process.ts";
import { git, gitEnvironment, initBare } from "./git.ts";
import { type GitServer, startGitServer } from "./git-server.ts";

const AUTHOR = {
  GIT_AUTHOR_NAME: "Ada Lovelace",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada Lovelace",
  GIT_COMMITTER_EMAIL: "ada@example.com",
};

export interface WorkTree {
  path: string;
  /** The bare repository that the server serves. */
  bare: string;
  /** Goes through the proxy. */
  source: { url: string; authorization: string | null };
  git(args: string[], environment?: NodeJS.ProcessEnv): Promise<string>;
  /** Writes the files, commits them and pushes the branch; returns the sha. */
  commit(files: Files, message?: string): Promise<string>;
  push(): Promise<void>;
}

export interface GitHost {
  path: string;
  server: GitServer;
  proxy: FaultyProxy;
  mirrors: Mirrors;
  /** The same directory as a process would open it that starts now. */
  reopen(options?: MirrorOptions): Mirrors;
  repo(name: string): Promise<WorkTree>;
  close(): Promise<void>;
}

/** A git host on 127.0.0.1 whose faults a test decides, and mirrors of it. */
export async function startGitHost(): Promise<GitHost> {
  const home = await tempDir();
  const root = join(home.path, "host");
  const server = await startGitServer(root);
  const proxy = await startFaultyProxy(server.cloneUrl);
  const opened: Mirrors[] = [];
  const reopen = (options?: MirrorOptions) => {
    const mirrors = new Mirrors(join(home.path, "mirrors"), options);
    opened.push(mirrors);
    return mirrors;
  };
  return {
    path: home.path,
    server,
    proxy,
    mirrors: reopen(),
    reopen,
    repo: (name) => makeRepo(home.path, root, proxy.url, name),
    async close() {
      for (const mirrors of opened) mirrors.close();
      await proxy.stop();
      await server.close();
      await home.remove();
    },
  };
}

async function makeRepo(home: string, root: string, url: string, name: string): Promise<WorkTree> {
  const bare = join(root, "acme", `${name}.git`);
  const path = join(home, "work", name);
  await initBare(bare, "main");
  await mkdir(path, { recursive: true });
  const inTree = (args: string[], environment: NodeJS.ProcessEnv = {}) =>
    git(path, args, { ...AUTHOR, ...environment });
  await inTree(["init", "--quiet", "--initial-branch=main", "--template="]);
  const push = async () => {
    await inTree([
      "push",
      "--quiet",
      "--force",
      "--prune",
      bare,
      "refs/heads/*:refs/heads/*",
      "refs/tags/*:refs/tags/*",
    ]);
  };
  return {
    path,
    bare,
    source: { url: `${url}/acme/${name}.git`, authorization: null },
    git: inTree,
    push,
    async commit(files, message = "A change") {
      await writeFiles(path, files);
      await inTree(["add", "--all"]);
      await inTree(["commit", "--quiet", "--allow-empty", "-m", message]);
      await push();
      return inTree(["rev-parse", "HEAD"]);
    },
  };
}

/** Makes the repo anew as a SHA-256 repository without commits, on the server and in the work tree. */
export async function remakeAsSha256(tree: WorkTree): Promise<void> {
  await remakeServedAsSha256(tree);
  await rm(join(tree.path, ".git"), { recursive: true });
  await tree.git(["init", "--quiet", ...SHA256]);
}

/** The same on the server only. */
export async function remakeServedAsSha256({ bare, git }: WorkTree): Promise<void> {
  await rm(bare, { recursive: true });
  await git(["init", "--quiet", "--bare", ...SHA256, bare]);
}

const SHA256 = ["--object-format=sha256", "--initial-branch=main"];

/** A checkout as a user on Linux has it. */
export async function checkout(tree: WorkTree, sha: string, into: string): Promise<void> {
  await git(dirname(into), ["clone", "--quiet", "--no-checkout", tree.bare, into]);
  await git(into, ["checkout", "--quiet", "--detach", sha], gitEnvironment);
}

/** Never aborted. */
export const never = new AbortController().signal;
setMaxListeners(0, never);

export interface GitHostSuite {
  /** One host for all tests of the suite; its proxy is faultless at the start of each. */
  host: GitHost;
  /** A new, empty repo for each test. */
  repo: WorkTree;
  /** An empty mirror of `repo`. */
  mirror: Mirror;
  /** Opens `mirror` again, as a process would that starts now. */
  reopenMirror(options?: MirrorOptions): void;
}

/** Call it inside a `describe`: it adds the hooks that start and stop a git host, with a new repo and mirror for each test. */
export function useGitHost(): GitHostSuite {
  let count = 0;
  const suite = {
    reopenMirror(options) {
      suite.mirror = suite.host.reopen(options).open(`github:${count}`);
    },
  } as GitHostSuite;
  before(async () => {
    suite.host = await startGitHost();
  });
  beforeEach(async () => {
    count += 1;
    suite.host.proxy.fault = () => undefined;
    suite.host.proxy.passed.length = 0;
    suite.repo = await suite.host.repo(`r${count}`);
    suite.mirror = suite.host.mirrors.open(`github:${count}`);
  });
  after(() => suite.host?.close());
  return suite;
}
