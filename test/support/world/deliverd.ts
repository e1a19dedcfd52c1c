import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { freePort, type Server, startServer, tempDir, until } from "../processes/process.ts";

/** What the bin of package.json leads to. */
export const BIN = fileURLToPath(new URL("../../../dist/src/cli/index.js", import.meta.url));

/** Characters kept of what earlier lives printed: a soak has hundreds of them. */
const PAST_MAX = 2_000_000;

/** A deliverd of its own process, as a user runs it: from the build, with a configuration file. */
export interface Deliverd {
  url: string;
  dataDir: string;
  adminToken: string;
  /** Where it reads its configuration. */
  configFile: string;
  /** Everything it has printed, over all its lives. */
  output(): string;
  /** What the life that runs, or that ended last, has printed. */
  lastOutput(): string;
  /** Of the life that runs now. */
  pid(): number;
  /** Asks the API as its administrator. */
  api<T>(path: string, init?: RequestInit): Promise<T>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** SIGKILL; nothing is cleaned up. */
  kill(): Promise<void>;
  /** Resolves when the life that runs now has ended, however it ends. */
  ended(): Promise<void>;
  /** The exit code or signal of the last life to have ended; null while it runs. */
  endedBy(): number | NodeJS.Signals | null;
  /** Starts a new process on the same data directory; `env` is for this life alone. @throws where it dies before it is ready */
  restart(more?: { env?: Record<string, string> }): Promise<void>;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
  /** Stops it, and removes its data directory. */
  remove(): Promise<void>;
}

export interface DeliverdOptions {
  /** The configuration file, without `port`, `dataDir` and `adminToken`. */
  config: Record<string, unknown>;
  env?: Record<string, string> | undefined;
  command?: "start" | "receiver" | "worker" | undefined;
}

export async function startDeliverd(options: DeliverdOptions): Promise<Deliverd> {
  const dir = await tempDir();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const adminToken = "admin-canary-0123456789";
  const dataDir = join(dir.path, "data");
  const configFile = join(dir.path, "deliverd.yml");
  const command = options.command ?? "start";
  const ports = command === "worker" ? { workerPort: port } : { port };
  await writeFile(configFile, stringify({ publicUrl: url, dataDir, adminToken, ...ports, ...options.config }), {
    mode: 0o600,
  });
  let past = "";
  let stillborn = "";
  const launch = (more: Record<string, string> = {}) =>
    startServer(
      process.execPath,
      [BIN, command, "--config", configFile],
      async () => {
        const answer = await fetch(`${url}/healthz`);
        if (!answer.ok) throw new Error(`healthz ${answer.status}`);
      },
      { env: { PATH: process.env.PATH, ...options.env, ...more } },
    );
  let life: Server | null = await launch().catch(async (error) => {
    await endRedis(dataDir);
    await dir.remove();
    throw error;
  });
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { authorization: `Bearer ${adminToken}`, ...init.headers } });
  const deliverd: Deliverd = {
    url,
    dataDir,
    adminToken,
    configFile,
    output: () => past + deliverd.lastOutput(),
    lastOutput: () => life?.output() ?? stillborn,
    pid: () => life?.child.pid ?? 0,
    fetch: ask,
    async api(path, init) {
      const response = await ask(path, init);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as never;
    },
    async kill() {
      await life?.stop("SIGKILL");
    },
    async ended() {
      if (life !== null && life.child.exitCode === null && life.child.signalCode === null)
        await once(life.child, "exit");
    },
    endedBy: () => life?.child.signalCode ?? life?.child.exitCode ?? null,
    async restart({ env } = {}) {
      await deliverd.kill();
      past = deliverd.output().slice(-PAST_MAX);
      life = null;
      stillborn = "";
      life = await launch(env).catch((error: Error) => {
        stillborn = error.message;
        throw error;
      });
    },
    async stop() {
      await life?.stop("SIGTERM");
      return life?.child.exitCode ?? null;
    },
    async remove() {
      await deliverd.stop();
      await endRedis(dataDir);
      await dir.remove();
    },
  };
  return deliverd;
}

/** A deliverd that was killed leaves its redis-server behind for the next one: here there is no next one. */
async function endRedis(dataDir: string): Promise<void> {
  const pid = Number(await readFile(join(dataDir, "redis", "redis.pid"), "utf8").catch(() => ""));
  if (!(pid > 1)) return;
  try {
    process.kill(pid, "SIGTERM");
    await until("redis-server is gone", () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
  } catch {
    // It was gone already.
  }
}
