import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadServerConfig } from "../../../src/config/server.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { tempDir } from "../../support/processes/process.ts";

const place = {
  PORT: "9090",
  DELIVERD_DATA_DIR: "/data",
  DELIVERD_REDIS_URL: "redis://redis:6379",
  DELIVERD_DATABASE_URL: "postgres://db/deliverd",
  DELIVERD_INTAKE_LISTEN: "0.0.0.0:5055",
  DELIVERD_INTAKE_ADVERTISE: "127.0.0.1:5055",
};
const intake = { listen: "0.0.0.0:5055", advertise: "127.0.0.1:5055" };
const owner = { GITHUB_WEBHOOK_SECRET: "s3cret", DELIVERD_REPOS: "acme/*" };

describe("Where a server runs", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;

  before(async () => {
    dir = await tempDir();
  });

  after(() => dir.remove());

  async function file(lines: string[]): Promise<string> {
    const path = join(dir.path, "deliverd.yml");
    const needed = ["hosts: { github: { type: github, webhookSecret: s3cret } }", "repos: [acme/*]"];
    await writeFile(path, [...needed, ...lines].join("\n"));
    return path;
  }

  async function withFile(lines: string[]) {
    return loadServerConfig({ path: await file(lines), env: place });
  }

  it("is told by the environment alone", () => {
    const config = loadServerConfig({ env: { ...place, ...owner } });
    assert.deepEqual(
      [config.port, config.dataDir, config.redisUrl, config.databaseUrl],
      [9090, "/data", "redis://redis:6379", "postgres://db/deliverd"],
    );
    assert.deepEqual(config.docker.intake, intake);
  });

  it("is told by the environment where the file leaves it out, so that a file works in the container image as it is", async () => {
    const config = await withFile(["docker: { buildTimeout: 5m }"]);
    assert.deepEqual([config.port, config.dataDir, config.redisUrl], [9090, "/data", "redis://redis:6379"]);
    assert.deepEqual([config.docker.intake, config.docker.buildTimeout], [intake, 300_000]);
  });

  it("is told by the environment where both speak, so that a laptop's file works in the container image", async () => {
    const laptop = { listen: "127.0.0.1:6000", advertise: "127.0.0.1:6000" };
    const config = await withFile(["port: 7000", "dataDir: data", `docker: { intake: ${JSON.stringify(laptop)} }`]);
    assert.deepEqual([config.port, config.dataDir, config.docker.intake], [9090, "/data", intake]);
  });

  it("is told by the file for the servers beside deliverd, where both speak", async () => {
    const config = await withFile(["redisUrl: redis://127.0.0.1", "databaseUrl: postgres://127.0.0.1/d"]);
    assert.deepEqual([config.redisUrl, config.databaseUrl], ["redis://127.0.0.1", "postgres://127.0.0.1/d"]);
  });

  it("is told by the environment for the public URL and the admin token, where the file leaves them out", async () => {
    const env = { DELIVERD_PUBLIC_URL: "https://d.example.com", DELIVERD_ADMIN_TOKEN: "token-of-the-environment" };
    const without = loadServerConfig({ path: await file([]), env });
    assert.deepEqual([without.publicUrl, without.adminToken], [env.DELIVERD_PUBLIC_URL, env.DELIVERD_ADMIN_TOKEN]);
    const own = ["publicUrl: https://file.example.com", "adminToken: token-of-the-file-0123"];
    const both = loadServerConfig({ path: await file(own), env });
    assert.deepEqual([both.publicUrl, both.adminToken], ["https://file.example.com", "token-of-the-file-0123"]);
  });

  it("takes each address of the intake from the environment or from the file", async () => {
    const path = await file(["docker: { intake: { listen: 127.0.0.1:6000, advertise: 127.0.0.1:6000 } }"]);
    const config = loadServerConfig({ path, env: { DELIVERD_INTAKE_LISTEN: "0.0.0.0:5055" } });
    assert.deepEqual(config.docker.intake, { listen: "0.0.0.0:5055", advertise: "127.0.0.1:6000" });
  });

  it("blames the variable, and no line of the file, for a bad value of the environment", async () => {
    const path = await file(["port: 7000"]);
    const env = { PORT: "http", DELIVERD_INTAKE_LISTEN: "5055", DELIVERD_INTAKE_ADVERTISE: "127.0.0.1:5055" };
    assert.throws(
      () => loadServerConfig({ path, env }),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(
          error.message.replaceAll(path, "file").split(";")[0],
          'file: environment variable PORT: found "http"',
        );
        assert.match(error.message, /: environment variable DELIVERD_INTAKE_LISTEN: found "5055"; expected/);
        return true;
      },
    );
  });

  it("needs both addresses of the intake", () => {
    const half = { ...owner, DELIVERD_INTAKE_LISTEN: "0.0.0.0:5055" };
    assert.throws(() => loadServerConfig({ env: half }), /DELIVERD_INTAKE_ADVERTISE/);
  });
});
