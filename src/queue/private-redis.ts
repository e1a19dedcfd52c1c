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

/** A redis-server of our own, for installations that name none: on a unix socket in dataDir, append-only file on. */
export interface PrivateRedis {
  socket: string;
  /** Ends it. */
  stop(): Promise<void>;
}

/** The kernel's limit is 108 bytes with the closing NUL. */
const SOCKET_PATH_MAX = 107;
const RESTART_PAUSE = 500;
const STOP_PATIENCE = 1_000;

/**
 * Starts redis-server (found on PATH) and starts it again whenever it dies, with what it held. It begins empty: the ledger
 * knows all that is owed. One that a killed deliverd left behind is ended first: dataDir is locked, so nobody else can be
 * using it.
 * @throws ConfigError when redis-server cannot be started.
 */
export async function startPrivateRedis(dataDir: string, log: Log): Promise<PrivateRedis> {
  const dir = join(dataDir, "redis");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const socket = await socketPath(dir);
  const pidFile = join(dir, "redis.pid");
  await endLeftover(pidFile, socket);
  // Jobs that a killed process had in hand would hold up their own followers until their locks run out.
  await rm(join(dir, "appendonlydir"), { recursive: true, force: true });

  let child = launch(dir, socket, pidFile);
  let stopping = false;
  await ready(child, socket);
  const watch = async (): Promise<void> => {
    while (!stopping) {
      if (isAlive(child)) await once(child, "exit").catch(() => {});
      if (stopping) return;
      log.warn("the private redis-server ended; starting it again");
      await delay(RESTART_PAUSE);
      if (stopping) return;
      child = launch(dir, socket, pidFile);
      await ready(child, socket).catch((error: unknown) => log.error("redis-server does not start", { error }));
    }
  };
  void watch();
  return {
    socket,
    async stop() {
      stopping = true;
      if (!isAlive(child)) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      // On a full disk it will not go by itself, and nothing in it is needed.
      const last = setTimeout(() => child.kill("SIGKILL"), STOP_PATIENCE);
      await gone;
      clearTimeout(last);
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
  // Its own process group: a Ctrl-C at the terminal must reach deliverd alone, which then ends Redis last.
  return spawn("redis-server", settings, {
    stdio: ["ignore", "ignore", "ignore"],
    detached: true,
    env: { PATH: process.env.PATH },
  });
}

async function ready(child: ChildProcess, socket: string): Promise<void> {
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  for (const end = Date.now() + 20_000; Date.now() < end; await delay(5)) {
    if (failure !== undefined || !isAlive(child)) break;
    if (await answers(socket)) return;
  }
  throw new ConfigError(
    "redis-not-started",
    `redis-server could not be started on ${socket}: ${failure?.message ?? `it ended with ${child.exitCode}`}. Install redis-server, or set redisUrl to a Redis of your own.`,
  );
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** PING by hand: a client library would retry on its own terms. */
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

/** A pid may have been given to another process since: its command line must be a redis-server on our socket. */
async function isOurRedis(pid: number, socket: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.includes("redis-server") && commandLine.includes(socket);
}

async function socketPath(dir: string): Promise<string> {
  const inDataDir = join(dir, "redis.sock");
  if (Buffer.byteLength(inDataDir) <= SOCKET_PATH_MAX) return inDataDir;
  const name = createHash("sha256").update(dir).digest("hex").slice(0, 12);
  const short = join(tmpdir(), `deliverd-${userInfo().uid}-${name}`);
  await mkdir(short, { recursive: true, mode: 0o700 });
  await chmod(short, 0o700);
  return join(short, "redis.sock");
}
