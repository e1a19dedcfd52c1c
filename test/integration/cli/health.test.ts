import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { startRedis, type TestRedis } from "../../support/databases/redis.ts";
import { BIN, type Deliverd, startDeliverd } from "../../support/world/deliverd.ts";

const needed = { hosts: { github: { type: "github", webhookSecret: "s3cret" } }, repos: ["acme/*"], adminToken: null };

describe("A worker in a process of its own", function () {
  this.timeout(60_000);
  let redis: TestRedis;
  let worker: Deliverd;

  before(async () => {
    redis = await startRedis();
    worker = await startDeliverd({ command: "worker", config: { ...needed, redisUrl: redis.url } });
  });

  after(async () => {
    await worker?.remove();
    await redis?.stop();
  });

  /** As HEALTHCHECK of the container image runs it: with the port of the receiver in the environment. */
  function health(): Promise<{ stdout: string; stderr: string }> {
    const env = { PATH: process.env.PATH, PORT: "1" };
    return promisify(execFile)(process.execPath, [BIN, "health", "--config", worker.configFile], { env });
  }

  it("is healthy while it answers on workerPort, and not after it ended", async () => {
    const { port } = new URL(worker.url);
    assert.equal((await health()).stdout, `deliverd worker answers on port ${port}\n`);

    await worker.kill();

    await assert.rejects(health(), (error: Error & { code?: number; stderr?: string }) => {
      assert.equal(error.code, 1);
      assert.match(error.stderr ?? "", new RegExp(`does not answer on port ${port}: .*ECONNREFUSED`));
      return true;
    });
  });

  it("makes and announces no admin token: nobody signs in there", () => {
    assert.ok(!existsSync(join(worker.dataDir, "admin-token")));
    assert.doesNotMatch(worker.output(), /admin token/);
  });
});

describe("A receiver that is started without publicUrl", function () {
  this.timeout(60_000);

  it("warns that statuses and notices link to its own machine, and says where its admin token is", async () => {
    const deliverd = await startDeliverd({ config: { ...needed, publicUrl: null } });
    try {
      const lines = deliverd
        .output()
        .split("\n")
        .filter((line) => line.startsWith("{"));
      const said = lines.map((line) => JSON.parse(line) as { level: string; message: string; publicUrl?: string });
      const warning = said.find(({ message }) => message.includes("link to this machine only"));
      assert.equal(warning?.level, "warn");
      assert.equal(warning?.publicUrl, `http://localhost:${new URL(deliverd.url).port}`);
      assert.ok(said.some(({ message }) => message === "the admin token is in a file"));
    } finally {
      await deliverd.remove();
    }
  });
});
