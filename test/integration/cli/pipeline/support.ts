import { execFile } from "node:child_process";
import { type Files, writeFiles } from "../../../support/fixtures/work-tree.ts";
import { git } from "../../../support/hosts/git.ts";
import { tempDir } from "../../../support/processes/process.ts";
import { BIN } from "../../../support/world/deliverd.ts";

const AUTHOR = ["-c", "user.name=Sam", "-c", "user.email=sam@example.com"];

export interface TestCheckout {
  path: string;
  /** Writes files, and commits them. @returns the commit */
  commit(files: Files): Promise<string>;
  write(files: Files): Promise<void>;
  git(...args: string[]): Promise<string>;
  remove(): Promise<void>;
}

/** A git checkout on `main` of github.com/acme/api, which was never pushed. */
export async function testCheckout(files: Files = {}): Promise<TestCheckout> {
  const { path, remove } = await tempDir();
  await git(path, ["init", "--quiet", "--template=", "--initial-branch=main"]);
  await git(path, ["remote", "add", "origin", "git@github.com:acme/api.git"]);
  await writeFiles(path, files);
  return {
    path,
    remove,
    write: (more) => writeFiles(path, more),
    git: (...args) => git(path, args),
    async commit(more) {
      await writeFiles(path, more);
      await git(path, ["add", "--all"]);
      await git(path, [...AUTHOR, "commit", "--quiet", "--message", "Change files"]);
      return git(path, ["rev-parse", "HEAD"]);
    },
  };
}

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command of the build in `dist/`, as a user runs it. */
export function deliverd(args: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const own = { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: "/dev/null", ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { cwd, env: own, maxBuffer: 1e8 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}
