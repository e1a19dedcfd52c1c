import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { startRedis, type TestRedis } from "../../support/databases/redis.ts";
import { until } from "../../support/processes/process.ts";
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

describe("A deliverd that is started with only what a start needs", function () {
  this.timeout(60_000);
  let deliverd: Deliverd;
  interface Line {
    level: string;
    message: string;
    publicUrl?: string;
    engine?: string;
    error?: string;
  }

  before(async () => {
    const docker = { socket: "/nowhere/docker.sock" };
    deliverd = await startDeliverd({ config: { ...needed, docker, publicUrl: null, registries: null } });
  });
  after(() => deliverd?.remove());

  const said = (): Line[] =>
    deliverd
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as Line);
  const warning = (words: string) => said().find(({ level, message }) => level === "warn" && message.includes(words));

  it("warns that statuses and notices link to its own machine, and says where its admin token is", () => {
    const port = new URL(deliverd.url).port;
    assert.equal(warning("link to this machine only")?.publicUrl, `http://localhost:${port}`);
    assert.ok(said().some(({ message }) => message === "the admin token is in a file"));
  });

  it("warns that a host has no token and that there is no registry: what does not work, what does, what to set", () => {
    assert.match(
      warning("token is not set")?.message ?? "",
      /^hosts\.github\.token .*public repos only.*no commit statuses.*releases of public repos work.*GITHUB_TOKEN/,
    );
    assert.match(
      warning("no registry")?.message ?? "",
      /nothing can be published.*API and pages work.*DELIVERD_REGISTRY/,
    );
  });

  it("warns that its engine cannot be reached: where, why, what works, what to do", async () => {
    const found = await until("it has asked the engine", () => warning("the engine cannot be reached"));
    assert.equal(found.engine, "unix:///nowhere/docker.sock");
    assert.match(found.error ?? "", /ENOENT/);
    assert.match(found.message, /commits are evaluated, .*Start it, or set docker\.socket or DOCKER_HOST/);
  });
});
