import { execFile } from "node:child_process";
import { chown, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { freePort, type Server, startServer, tempDir } from "../processes/process.ts";

const run = promisify(execFile);

export interface Postgres {
  /** Of its maintenance database. */
  url: string;
  /** @returns the URL of an empty database */
  newDatabase(): Promise<string>;
  dropDatabase(url: string): Promise<void>;
  /** Lets a test take the server away and bring it back, with what it holds. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Ends the server and removes what it held. */
  stop(): Promise<void>;
}

/** A PostgreSQL of its own on 127.0.0.1, in a directory that is gone after `stop`. It syncs nothing to disk. */
export async function startPostgres(): Promise<Postgres> {
  const bin = await binaries();
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? await postgresUser() : null;
  const directory = await tempDir();
  if (user) await chown(directory.path, user.uid, user.gid);
  const data = join(directory.path, "data");
  const options = { ...user, cwd: directory.path };
  await run(join(bin, "initdb"), ["-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], options);

  const port = await freePort();
  const url = `postgres://test@127.0.0.1:${port}/postgres`;
  const settings = [
    "fsync=off",
    "full_page_writes=off",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    `port=${port}`,
  ];
  const args = ["-D", data, ...settings.flatMap((setting) => ["-c", setting])];
  const start = () => startServer(join(bin, "postgres"), args, () => ask(url, "select 1"), options);
  // Its SIGINT is the quick end: it does not wait for clients to leave.
  let server: Server = await start();
  let made = 0;
  return {
    url,
    async newDatabase() {
      const name = `test_${++made}`;
      await ask(url, `create database ${name}`);
      return new URL(`/${name}`, url).href;
    },
    dropDatabase: (of) => ask(url, `drop database ${new URL(of).pathname.slice(1)} with (force)`),
    pause: () => server.stop("SIGINT"),
    async resume() {
      server = await start();
    },
    async stop() {
      await server.stop("SIGINT");
      await directory.remove();
    },
  };
}

async function ask(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Debian keeps the server's binaries out of the PATH. */
async function binaries(): Promise<string> {
  const base = "/usr/lib/postgresql";
  const versions = await readdir(base).catch(() => []);
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest !== undefined) return join(base, newest, "bin");
  const { stdout } = await run("pg_config", ["--bindir"]);
  return stdout.trim();
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const number = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout);
  return { uid: await number("-u"), gid: await number("-g") };
}
