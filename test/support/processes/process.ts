import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  server.close();
  await once(server, "close");
  return address.port;
}

export interface TempDir {
  path: string;
  remove(): Promise<void>;
}

/** A directory that is gone after use. Kept short: unix socket paths end at 108 bytes. */
export async function tempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), "dd-"));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }) };
}

/** For what is started with a directory of its own, and takes it along when it stops; where it does not start, it is gone at once. */
export async function startInTempDir<T>(start: (dir: TempDir) => Promise<T>): Promise<T> {
  const dir = await tempDir();
  try {
    return await start(dir);
  } catch (error) {
    await dir.remove();
    throw error;
  }
}

/** Asks again until the answer is neither false, null nor undefined, or the time is over. The last error becomes the cause. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  timeout = 40_000,
): Promise<T> {
  const end = Date.now() + timeout;
  let cause: unknown;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== false && answer !== null && answer !== undefined) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(20);
  }
  throw new Error(`waited ${timeout} ms in vain: ${what}`, { cause });
}

export interface Server {
  child: ChildProcess;
  /** All it has printed. */
  output(): string;
  /** SIGTERM, then SIGKILL after 5 s; resolves when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a server of its own process and waits until `ready` answers; a death before that throws with what it printed. */
export async function startServer(
  command: string,
  args: string[],
  ready: () => Promise<unknown> | unknown,
  options: SpawnOptions = {},
): Promise<Server> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let text = "";
  const keep = (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-200_000);
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  let died: Error | undefined;
  child.once("error", (error) => {
    died = error;
  });
  child.once("exit", (code, signal) => {
    died ??= new Error(`${command} ended at once (${code ?? signal}):\n${text}`);
  });
  const server: Server = {
    child,
    output: () => text,
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await gone;
      clearTimeout(timer);
    },
  };
  try {
    await until(`${command} is ready`, async () => {
      if (died) return "died";
      await ready();
      return "ready";
    });
    if (died) throw died;
    return server;
  } catch (error) {
    await server.stop("SIGKILL");
    throw error;
  }
}
