import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Readable, Transform } from "node:stream";
import { ConfigError, TransientError } from "../delivery/errors.ts";

/** How to run one git process. */
export interface GitCall {
  /** The bare repository. Left out if git needs none. */
  gitDir?: string;
  /**
   * Each of them ends the process and all that it started. It is a list because AbortSignal.any() leaks memory on a
   * signal that lives as long as our process.
   */
  signals: AbortSignal[];
  /** ms after which git is ended. */
  timeLimit: number;
  stdin?: string;
  /** Settings for this call. They are passed in the environment, so that neither argv nor a log shows them. */
  config?: [key: string, value: string][];
  /** Whether paths may be pathspecs of git (`:(glob)…`). Left out: each path is literal. */
  globs?: boolean;
  /** Exit codes that mean success. Left out: only 0. */
  answers?: number[];
}

/** git ended with an exit code that the caller did not expect. The message contains the end of git's stderr. */
export class GitFailed extends Error {
  readonly exitCode: number | null;
  readonly stderr: string;
  constructor(verb: string, exitCode: number | null, stderr: string) {
    super(`git ${verb} ended with ${exitCode ?? "a signal"}: ${stderr.trim() || "(it printed nothing)"}`);
    this.name = "GitFailed";
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** Settings that no repository, user or machine may change. */
const PINNED: [string, string][] = [
  ["core.hooksPath", "/dev/null"],
  ["core.attributesFile", "/dev/null"],
  ["core.askPass", ""],
  ["core.quotePath", "false"],
  ["credential.helper", ""],
  ["submodule.recurse", "false"],
  ["fetch.recurseSubmodules", "false"],
  ["protocol.version", "2"],
  ["http.followRedirects", "false"],
  // Gives up on a host that sends nothing. The fetch of a killed daemon ends by this too.
  ["http.lowSpeedLimit", "1"],
  ["http.lowSpeedTime", "60"],
  // A detached process would escape our time limit and our lock.
  ["gc.autoDetach", "false"],
  ["maintenance.autoDetach", "false"],
  // The file modes of a checkout with the usual umask.
  ["tar.umask", "0022"],
];

/** The administrator decides how the machine reaches the network. No other environment variable is passed to git. */
export const PROXY_VARIABLES = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const PASSED_ON = ["PATH", "TMPDIR", ...PROXY_VARIABLES, "no_proxy", "NO_PROXY"];
export const TRUST_VARIABLES = ["GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"];

const MAX_STDERR_CHARACTERS = 8_000;
/** About 500,000 refs. A host that sends more is broken or hostile. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs git to its end. @throws GitFailed, TransientError("git-timeout"), the signal's reason */
export async function runGit(args: string[], call: GitCall): Promise<{ exitCode: number; stdout: Buffer }> {
  const { child, stdout, ended } = startGit(args, call);
  child.stdin.end(call.stdin ?? "");
  const [bytes, exitCode] = await Promise.all([collect(stdout), ended]);
  return { exitCode, stdout: bytes };
}

async function collect(stdout: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_OUTPUT_BYTES) throw new Error(`git printed more than ${MAX_OUTPUT_BYTES} bytes`);
  }
  return Buffer.concat(chunks);
}

/** Runs git to its end, and gives its output as text. @throws as `runGit` */
export async function gitText(args: string[], call: GitCall): Promise<string> {
  return (await runGit(args, call)).stdout.toString("utf8");
}

/**
 * Runs git and streams its output. The stream ends only after git has succeeded. Otherwise it is destroyed with the
 * error, so that part of an output is never taken for all of it. Destroying the stream ends git.
 */
export function streamGit(args: string[], call: GitCall): Readable {
  const { child, stdout } = startGit(args, call);
  child.stdin.end(call.stdin ?? "");
  return stdout;
}

/**
 * Starts git. The caller ends its stdin. `stop` ends git, and the stream then breaks with the given reason.
 * @param isLimited whether the time limit applies to the whole process
 */
export function startGit(args: string[], call: GitCall, isLimited = true) {
  for (const signal of call.signals) signal.throwIfAborted();
  const verb = args[0] ?? "";
  const child = spawn("git", args, {
    env: environment(call),
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
    cwd: "/",
  });
  const stop = stopper(child);
  const limit = isLimited ? setTimeout(() => stop(gitTimeout(verb, call)), call.timeLimit) : undefined;
  const abort = (event: Event) => stop((event.target as AbortSignal).reason);
  for (const signal of call.signals) signal.addEventListener("abort", abort, { once: true });

  const stderr = lastOf(child);
  const ended = (async () => {
    try {
      const [exitCode] = (await once(child, "close")) as [number | null];
      if (stop.reason !== undefined) throw stop.reason;
      if (exitCode === null || !(call.answers ?? [0]).includes(exitCode)) throw new GitFailed(verb, exitCode, stderr());
      return exitCode;
    } catch (error) {
      throw isMissing(error)
        ? new ConfigError("git-missing", "The program git was not found: install git 2.39 or newer.")
        : error;
    } finally {
      clearTimeout(limit);
      for (const signal of call.signals) signal.removeEventListener("abort", abort);
    }
  })();

  // Attached at once: a pipe that was read only later has lost its beginning before.
  const stdout = new Transform({
    transform: (chunk, _encoding, done) => done(null, chunk),
    flush: (done) => void ended.then(() => done(), done),
  });
  stdout.once("close", () => stop(new Error("nobody reads what git prints")));
  ended.catch((error) => stdout.destroy(error));
  child.stdout.pipe(stdout);
  // git may end before it has read everything. Its exit code says what that means.
  child.stdin.on("error", () => {});
  return { child, stdout, ended, stop };
}

export function gitTimeout(verb: string, { timeLimit }: GitCall): TransientError {
  return new TransientError("git-timeout", `git ${verb} was ended after ${timeLimit / 1000} s.`);
}

interface Stop {
  (reason: unknown): void;
  reason?: unknown;
}

/** Ends git and its helpers, which are in its process group. The first reason counts. */
function stopper(child: ChildProcess): Stop {
  const stop: Stop = (reason) => {
    // Unread output must not keep git from ending.
    child.stdout?.resume();
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    stop.reason ??= reason;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  return stop;
}

function lastOf(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(-MAX_STDERR_CHARACTERS);
  });
  return () => text;
}

function environment(call: GitCall): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    LC_ALL: "C",
    // libcurl would read .netrc there, and git its configuration.
    HOME: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "http:https",
    GIT_LITERAL_PATHSPECS: call.globs === true ? "0" : "1",
    GIT_OPTIONAL_LOCKS: "0",
    // Does not fetch objects that a hostile repository says are elsewhere.
    GIT_NO_LAZY_FETCH: "1",
    GIT_NO_REPLACE_OBJECTS: "1",
  };
  for (const name of [...PASSED_ON, ...TRUST_VARIABLES])
    if (process.env[name] !== undefined) env[name] = process.env[name];
  if (call.gitDir !== undefined) env.GIT_DIR = call.gitDir;
  const config = [...PINNED, ...(call.config ?? [])];
  env.GIT_CONFIG_COUNT = String(config.length);
  for (const [index, [key, value]] of config.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error as NodeJS.ErrnoException).code === "ENOENT" &&
    "syscall" in error &&
    error.syscall === "spawn git"
  );
}
