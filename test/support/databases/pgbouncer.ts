import { execFile } from "node:child_process";
import { chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { freePort, startInTempDir, startServer } from "../processes/process.ts";

const run = promisify(execFile);

export interface PgBouncer {
  /** The same database, through the pooler. */
  through(databaseUrl: string): string;
  stop(): Promise<void>;
}

/** A real PgBouncer on 127.0.0.1 before a PostgreSQL of `startPostgres`, with as few connections to it as tests want to share. */
export function startPgBouncer(
  postgresUrl: string,
  mode: "transaction" | "session" | "statement",
  servers = 2,
): Promise<PgBouncer> {
  return startInTempDir(async (dir) => {
    const port = await freePort();
    const { port: behind } = new URL(postgresUrl);
    const settings = [
      "[databases]",
      `* = host=127.0.0.1 port=${behind} user=test`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = any",
      `pool_mode = ${mode}`,
      `default_pool_size = ${servers}`,
      "max_client_conn = 200",
      "logfile =",
    ];
    const file = join(dir.path, "pgbouncer.ini");
    await writeFile(file, `${settings.join("\n")}\n`);
    // It refuses to run as root, as PostgreSQL does.
    const user = process.getuid?.() === 0 ? { uid: await idOf("-u"), gid: await idOf("-g") } : {};
    if (user.uid !== undefined) for (const path of [dir.path, file]) await chown(path, user.uid, user.gid);
    const through = (databaseUrl: string) => {
      const url = new URL(databaseUrl);
      url.port = `${port}`;
      return url.href;
    };
    const ready = async () => {
      const client = new pg.Client({ connectionString: through(postgresUrl) });
      client.on("error", () => {});
      await client.connect().finally(() => client.end());
    };
    const server = await startServer("/usr/sbin/pgbouncer", [file], ready, { ...user, cwd: dir.path });
    return {
      through,
      async stop() {
        await server.stop("SIGINT");
        await dir.remove();
      },
    };
  });
}

async function idOf(flag: string): Promise<number> {
  return Number((await run("id", [flag, "postgres"])).stdout);
}
