import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { stringify } from "yaml";
import { figure, seconds } from "../faults/figures.ts";
import type { Pushed } from "../faults/oracle.ts";
import { begin, quickFiles, settled } from "../faults/support.ts";
import { startRedis, type TestRedis } from "../support/databases/redis.ts";
import { tempDir, until } from "../support/processes/process.ts";
import { BIN } from "../support/world/deliverd.ts";
import { startWorld, type World } from "../support/world/world.ts";
import { redisGoesAway } from "./redis-outage.ts";

describe("deliverd, when Redis fails under load,", function () {
  this.timeout(600_000);
  let redis: TestRedis;
  let world: World;

  before(async () => {
    redis = await startRedis();
    world = await startWorld({ config: { redisUrl: redis.url } });
  });

  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    await redis?.stop();
    assert.deepEqual(violations, []);
  });

  it("rebuilds all pending work within 2 min after each FLUSHALL", async () => {
    const repos = await Promise.all(["one", "two"].map((name) => world.repo(name, quickFiles(name))));
    const pushed: Pushed[] = [];
    for (let number = 0; number < 5; number++) {
      for (const repo of repos) {
        if (number > 0) await repo.commit({ "greeting.txt": `Number ${number}\n` });
        pushed.push(await begin(world, repo));
      }
      await redis.flush();
    }
    const begun = Date.now();
    await settled(world, pushed, { within: 120_000 });
    figure(
      "FLUSHALL under load, 5 times",
      `100 % of ${pushed.length} commits released ${seconds(Date.now() - begun)} after the last`,
    );
  });

  for (const seconds of [20, 60]) {
    it(`takes webhooks and reports degraded for ${seconds} s without Redis, and resumes within 10 s`, () =>
      redisGoesAway(world, redis, seconds * 1_000));
  }

  it("takes webhooks in time while Redis is full, and resumes work when it has room again", async () => {
    const repo = await world.repo("full", quickFiles("full"));
    await setting("maxmemory", "1");
    const one = await begin(world, repo);
    assert.deepEqual([...new Set(world.github.hooks.slice(-6).map((hook) => hook.answer?.status))], [202]);
    await delay(1_000);
    await setting("maxmemory", "0");
    await settled(world, [one]);
  });

  it("refuses to start with an eviction policy other than noeviction, and says the remedy", async () => {
    const evicting = await startRedis({ args: ["--maxmemory-policy", "allkeys-lru"] });
    const dir = await tempDir();
    try {
      const config = join(dir.path, "deliverd.yml");
      const own = {
        dataDir: join(dir.path, "data"),
        redisUrl: evicting.url,
        repos: ["acme/*"],
        adminToken: "token-0123456789",
      };
      const hosts = { github: { type: "github", webhookSecret: "a-secret-of-some-length", token: "t" } };
      const registries = { local: { type: "oci", url: world.second.url } };
      await writeFile(config, stringify({ publicUrl: "http://127.0.0.1", ...own, hosts, registries }));
      const ended = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
        execFile(process.execPath, [BIN, "start", "--config", config], (error, _out, stderr) =>
          resolve({ code: error?.code, stderr }),
        );
      });
      assert.equal(ended.code, 2, ended.stderr);
      assert.match(ended.stderr, /maxmemory-policy allkeys-lru.*config set maxmemory-policy noeviction/);
    } finally {
      await evicting.stop();
      await dir.remove();
    }
  });

  async function setting(name: string, value: string): Promise<void> {
    const client = new Redis(redis.url);
    await until(`${name} is ${value}`, () => client.config("SET", name, value));
    client.disconnect();
  }
});
