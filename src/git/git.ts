import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Readable, Transform } from "node:stream";
import { ConfigError, TransientError } from "../delivery/errors.ts";

/** How one git process is to run. */
export interface GitCall {
  /** The bare repository it works on; left out where it needs none. */
  gitDir?: string;
  /** Each of them ends the process and all it started. A list, since AbortSignal.any() leaks on a signal that lives as long as we do. */
  signals: AbortSignal[];
  /** ms; then it is ended. */
  timeLimit: number;
  stdin?: string;
  /** Settings for this call alone. They travel in the environment: neither argv nor a log shows them. */
  config?: [key: string, value: string][];
  /** Paths may be git's pathspecs (`:(glob)…`). Left out: each path means itself. */
  globs?: boolean;
  /** Exit codes that are answers, not failures. Left out: only 0. */
  answers?: number[];
}

/** git ended with an exit code that no caller foresaw. The message holds the end of what it printed. */
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

/** Nothing that a repository, a user's home or the machine configures may steer git. */
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
  // A host that holds the line without sending is given up; a killed daemon's fetch ends by this too.
  ["http.lowSpeedLimit", "1"],
  ["http.lowSpeedTime", "60"],
  // A process that detaches itself would escape our time limit and our lock.
  ["gc.autoDetach", "false"],
  ["maintenance.autoDetach", "false"],
  // The modes of a checkout under the usual umask.
  ["tar.umask", "0022"],
];

/** How the machine reaches the network is the administrator's affair; everything else of the environment stays out. */
export const PROXY_VARIABLES = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const PASSED_ON = ["PATH", "TMPDIR", ...PROXY_VARIABLES, "no_proxy", "NO_PROXY"];
export const TRUST_VARIABLES = ["GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"];

const STDERR_KEPT = 8_000;
/** Some 500,000 refs; a host that sends more is broken or hostile. */
const OUTPUT_KEPT = 64 * 1024 * 1024;

/** Runs git to its end. @throws GitFailed, TransientError("git-timeout"), the signal's reason. */
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
    if (size > OUTPUT_KEPT) throw new Error(`git printed more than ${OUTPUT_KEPT} bytes`);
  }
  return Buffer.concat(chunks);
}

/** The same, for those that only want to read: what git printed, as text. */
export async function gitText(args: string[], call: GitCall): Promise<string> {
  return (await runGit(args, call)).stdout.toString("utf8");
}

/**
 * Runs git and hands its output on as it comes. The stream ends only after git has ended well; else it is destroyed with the error, so a
 * part can never pass for the whole. Destroying the stream ends git.
 */
export function streamGit(args: string[], call: GitCall): Readable {
  const { child, stdout } = startGit(args, call);
  child.stdin.end(call.stdin ?? "");
  return stdout;
}

/**
 * Starts git; its stdin is the caller's to end. `stop` ends it for a reason, which is then what the stream breaks with.
 * @param isLimited whether the time limit is that of the whole process
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

  // Attached at once: a pipe read only later has been seen to lose its beginning.
  const stdout = new Transform({
    transform: (chunk, _encoding, done) => done(null, chunk),
    flush: (done) => void ended.then(() => done(), done),
  });
  stdout.once("close", () => stop(new Error("nobody reads what git prints")));
  ended.catch((error) => stdout.destroy(error));
  child.stdout.pipe(stdout);
  // git may end before it has read all; its exit code tells what that means.
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

/** Ends git together with its helpers, which share its process group. The first reason counts. */
function stopper(child: ChildProcess): Stop {
  const stop: Stop = (reason) => {
    // What nobody reads any more must not hold up its end.
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
    text = (text + chunk).slice(-STDERR_KEPT);
  });
  return () => text;
}

function environment(call: GitCall): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    LC_ALL: "C",
    // libcurl reads .netrc there, and git its configuration.
    HOME: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ALLOW_PROTOCOL: "http:https",
    GIT_LITERAL_PATHSPECS: call.globs === true ? "0" : "1",
    GIT_OPTIONAL_LOCKS: "0",
    // Objects that a hostile repository says are elsewhere are not asked for.
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
