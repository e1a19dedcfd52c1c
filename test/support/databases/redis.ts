import { rmSync } from "node:fs";
import { Redis } from "ioredis";
import { freePort, type Server, startServer, tempDir } from "../processes/process.ts";

export interface TestRedis {
  /** `redis://127.0.0.1:<port>`, or the socket's path. */
  url: string;
  /** Ends the server; `restart` finds what it had persisted. SIGTERM saves where `save` is set, SIGKILL loses as a crash does. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it, if it still runs, and starts it at the same place. */
  restart(): Promise<void>;
  /** What a failover, or a lost append-only file, leaves: nothing. */
  flush(): Promise<void>;
}

/**
 * A real redis-server, on a free port of 127.0.0.1 unless told otherwise, keeping nothing on disk unless `args` say so
 * (`["--appendonly", "yes"]`). It and its directory are gone at the latest with this process.
 */
export async function startRedis(
  options: { port?: number; socket?: string; args?: string[] } = {},
): Promise<TestRedis> {
  const dir = await tempDir();
  const port = options.socket === undefined ? (options.port ?? (await freePort())) : 0;
  const place =
    options.socket === undefined
      ? ["--bind", "127.0.0.1", "--port", `${port}`]
      : ["--port", "0", "--unixsocket", options.socket];
  const url = options.socket ?? `redis://127.0.0.1:${port}`;
  const settings = [...place, "--dir", dir.path, "--save", "", "--appendonly", "no", ...(options.args ?? [])];
  const start = () => startServer("redis-server", settings, () => ask(url, (redis) => redis.ping()));

  let server: Server = await start();
  process.once("exit", () => {
    server.child.kill("SIGKILL");
    rmSync(dir.path, { recursive: true, force: true });
  });
  return {
    url,
    stop: (signal) => server.stop(signal),
    async restart() {
      await server.stop();
      server = await start();
    },
    async flush() {
      await ask(url, (redis) => redis.flushall());
    },
  };
}

/** One question on a connection of its own, which tries once. */
async function ask(url: string, question: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  // The failed call itself tells; without a listener ioredis would print it as well.
  redis.on("error", () => {});
  try {
    await redis.connect();
    await question(redis);
  } finally {
    redis.disconnect();
  }
}
