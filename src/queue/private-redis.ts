import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ConfigError } from "../delivery/errors.ts";
import type { Log } from "../observe/log.ts";

/** A redis-server that deliverd starts itself if the configuration names none. */
export interface PrivateRedis {
  /** The path of its unix socket. */
  socket: string;
  stop(): Promise<void>;
}

/** The kernel's limit is 108 bytes, including the NUL at the end. */
const MAX_SOCKET_PATH_BYTES = 107;
const RESTART_DELAY_MS = 500;
const START_TIMEOUT_MS = 20_000;
/** After SIGTERM. On a full disk redis-server does not stop by itself, and its data is not needed. */
const STOP_TIMEOUT_MS = 1_000;

/**
 * Starts redis-server (from PATH) on a unix socket in dataDir, with an append-only file, and restarts it with its data
 * whenever it dies. It begins empty, because the ledger remembers all work. If a killed deliverd left a server behind,
 * it is killed first: dataDir is locked, so nobody else can use it.
 * @throws ConfigError `redis-not-started`
 */
export async function startPrivateRedis(dataDir: string, log: Log): Promise<PrivateRedis> {
  const dir = join(dataDir, "redis");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const socket = await socketPath(dir);
  const pidFile = join(dir, "redis.pid");
  await endLeftover(pidFile, socket);
  // Old jobs of a killed process would block new ones with the same key until their locks expire.
  await rm(join(dir, "appendonlydir"), { recursive: true, force: true });

  let child = launch(dir, socket, pidFile);
  let stopping = false;
  await waitUntilReady(child, socket);
  const restart = async (): Promise<void> => {
    while (!stopping) {
      if (isAlive(child)) await once(child, "exit").catch(() => {});
      if (stopping) return;
      log.warn("the private redis-server ended; starting it again");
      await delay(RESTART_DELAY_MS);
      if (stopping) return;
      child = launch(dir, socket, pidFile);
      await waitUntilReady(child, socket).catch((error: unknown) =>
        log.error("redis-server does not start", { error }),
      );
    }
  };
  void restart();
  return {
    socket,
    async stop() {
      stopping = true;
      if (!isAlive(child)) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      const killTimer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
      await gone;
      clearTimeout(killTimer);
      await rm(pidFile, { force: true });
    },
  };
}

function launch(dir: string, socket: string, pidFile: string): ChildProcess {
  const settings = [
    ["--port", "0"],
    ["--unixsocket", socket],
    ["--unixsocketperm", "700"],
    ["--dir", dir],
    ["--pidfile", pidFile],
    ["--daemonize", "no"],
    ["--appendonly", "yes"],
    ["--save", ""],
    ["--maxmemory-policy", "noeviction"],
    ["--loglevel", "warning"],
  ].flat();
  // Its own process group: Ctrl-C at the terminal must reach only deliverd, which stops Redis last.
  return spawn("redis-server", settings, {
    stdio: ["ignore", "ignore", "ignore"],
    detached: true,
    env: { PATH: process.env.PATH },
  });
}

async function waitUntilReady(child: ChildProcess, socket: string): Promise<void> {
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  for (const end = Date.now() + START_TIMEOUT_MS; Date.now() < end; await delay(5)) {
    if (failure !== undefined || !isAlive(child)) break;
    if (await answers(socket)) return;
  }
  const reason = failure?.message ?? `it ended with ${child.exitCode}`;
  throw new ConfigError(
    "redis-not-started",
    `redis-server could not be started on ${socket}: ${reason}. Install redis-server, or set redisUrl.`,
  );
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** Sends PING without a client library, which would retry by its own rules. */
async function answers(socket: string): Promise<boolean> {
  const connection = connect(socket);
  try {
    connection.write("PING\r\n");
    const [reply] = (await once(connection, "data")) as [Buffer];
    return reply.toString().startsWith("+PONG");
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}

async function endLeftover(pidFile: string, socket: string): Promise<void> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (Number.isInteger(pid) && pid > 1 && (await isOurRedis(pid, socket))) {
    process.kill(pid, "SIGKILL");
    for (const end = Date.now() + 5_000; Date.now() < end && (await isOurRedis(pid, socket)); ) await delay(20);
  }
  await rm(socket, { force: true });
  await rm(pidFile, { force: true });
}

/** Whether this process is a redis-server on our socket. Another process may have got the same pid since. */
async function isOurRedis(pid: number, socket: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.includes("redis-server") && commandLine.includes(socket);
}

async function socketPath(dir: string): Promise<string> {
  const inDataDir = join(dir, "redis.sock");
  if (Buffer.byteLength(inDataDir) <= MAX_SOCKET_PATH_BYTES) return inDataDir;
  const name = createHash("sha256").update(dir).digest("hex").slice(0, 12);
  const short = join(tmpdir(), `deliverd-${userInfo().uid}-${name}`);
  await mkdir(short, { recursive: true, mode: 0o700 });
  await chmod(short, 0o700);
  return join(short, "redis.sock");
}
