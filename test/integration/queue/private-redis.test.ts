import assert from "node:assert/strict";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { silentLog } from "../../../src/observe/log.ts";
import { type PrivateRedis, startPrivateRedis } from "../../../src/queue/private-redis.ts";
import { commandLines } from "../../support/processes/command-lines.ts";
import { tempDir, until } from "../../support/processes/process.ts";

describe("the private redis-server", function () {
  this.timeout(60_000);
  let dir: { path: string; remove(): Promise<void> };
  let server: PrivateRedis | undefined;

  beforeEach(async () => {
    dir = await tempDir();
  });

  afterEach(async () => {
    await server?.stop();
    server = undefined;
    await dir.remove();
  });

  const pid = (path = dir.path) =>
    until("its pid is written", async () => Number(await readFile(join(path, "redis", "redis.pid"), "utf8")) || null);
  const isRunning = async (one: number) => (await commandLines()).get(one)?.includes("redis-server") ?? false;
  const ask = async <T>(socket: string, question: (redis: Redis) => Promise<T>): Promise<T> => {
    const redis = new Redis({ path: socket, maxRetriesPerRequest: 3 });
    redis.on("error", () => {});
    try {
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  };

  it("listens on a socket for its owner only, writes an append-only file, and evicts nothing", async () => {
    server = await startPrivateRedis(dir.path, silentLog);
    const { mode } = await stat(server.socket);
    assert.equal(mode & 0o077, 0);
    const settings = await ask(server.socket, (redis) => redis.config("GET", "maxmemory-policy", "appendonly", "port"));
    assert.deepEqual(Object.fromEntries(pairs(settings as string[])), {
      "maxmemory-policy": "noeviction",
      appendonly: "yes",
      port: "0",
    });
  });

  it("starts empty, because the ledger remembers all work", async () => {
    server = await startPrivateRedis(dir.path, silentLog);
    await ask(server.socket, (redis) => redis.set("key", "of a life before"));
    await server.stop();
    server = await startPrivateRedis(dir.path, silentLog);
    assert.equal(await ask(server.socket, (redis) => redis.dbsize()), 0);
  });

  it("stops, and leaves no pid file behind", async () => {
    server = await startPrivateRedis(dir.path, silentLog);
    const own = await pid();
    assert.equal(await isRunning(own), true);
    await server.stop();
    assert.equal(await isRunning(own), false);
    await assert.rejects(readFile(join(dir.path, "redis", "redis.pid")), { code: "ENOENT" });
  });

  it("is restarted with its data when it dies", async () => {
    server = await startPrivateRedis(dir.path, silentLog);
    await ask(server.socket, (redis) => redis.set("key", "kept"));
    const first = await pid();
    process.kill(first, "SIGKILL");
    const { socket } = server;
    await until("another runs", async () => (await pid()) !== first);
    assert.equal(await ask(socket, (redis) => redis.get("key")), "kept");
  });

  it("is not restarted if it dies just before it must stop", async () => {
    server = await startPrivateRedis(dir.path, silentLog);
    const { socket } = server;
    const first = await pid();
    process.kill(first, "SIGKILL");
    await until("it is gone", async () => !(await isRunning(first)));
    await server.stop();
    // That nothing comes can only be seen by waiting: it would come after half a second.
    await delay(900);
    const left = [...(await commandLines())].filter(
      ([, line]) => line.includes("redis-server") && line.includes(socket),
    );
    assert.deepEqual(left, []);
  });

  it("kills the server that a killed process left in the same directory", async () => {
    const left = await startPrivateRedis(dir.path, silentLog);
    const first = await pid();
    server = await startPrivateRedis(dir.path, silentLog);
    assert.equal(await isRunning(first), false);
    assert.notEqual(await pid(), first);
    await left.stop();
  });

  it("does not kill another process that has the recorded pid", async () => {
    server = await startPrivateRedis(dir.path, silentLog);
    await server.stop();
    await writeFile(join(dir.path, "redis", "redis.pid"), `${process.pid}\n`);
    server = await startPrivateRedis(dir.path, silentLog);
    assert.notEqual(await pid(), process.pid);
  });

  it("uses another directory if the path is too long for a socket", async () => {
    const deep = join(dir.path, "x".repeat(90), "y".repeat(40));
    server = await startPrivateRedis(deep, silentLog);
    assert.ok(Buffer.byteLength(server.socket) < 108);
    assert.equal(await ask(server.socket, (redis) => redis.ping()), "PONG");
    await server.stop();
    await rm(dirname(server.socket), { recursive: true });
  });

  it("says what to do if redis-server is not installed", async () => {
    const path = process.env.PATH;
    process.env.PATH = dir.path;
    try {
      await assert.rejects(startPrivateRedis(dir.path, silentLog), {
        name: "ConfigError",
        code: "redis-not-started",
        message: /Install redis-server, or set redisUrl/,
      });
    } finally {
      process.env.PATH = path;
    }
  });
});

function* pairs(list: string[]): Generator<[string, string]> {
  for (let at = 0; at + 1 < list.length; at += 2) yield [list[at] ?? "", list[at + 1] ?? ""];
}
