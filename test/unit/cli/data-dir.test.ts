import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lockDataDir } from "../../../src/cli/data-dir.ts";
import { openParts } from "../../../src/cli/parts.ts";
import type { ServerConfig } from "../../../src/config/server.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

describe("The data directory", () => {
  let dir: TempDir;
  before(async () => {
    dir = await tempDir();
  });
  after(() => dir.remove());

  it("is held by one process in each role at a time (data-dir-locked)", async () => {
    const receiver = await lockDataDir(dir.path, ["receiver"]);
    const worker = await lockDataDir(dir.path, ["worker"]);
    await assert.rejects(lockDataDir(dir.path, ["receiver"]), { name: "ConfigError", code: "data-dir-locked" });
    receiver.release();
    (await lockDataDir(dir.path, ["receiver"])).release();
    worker.release();
  });

  it("has to be a folder that can be made (data-dir-unusable)", async () => {
    await writeFile(join(dir.path, "file"), "");
    const below = lockDataDir(join(dir.path, "file", "data"), ["worker"]);
    await assert.rejects(below, { name: "ConfigError", code: "data-dir-unusable" });
  });
});

describe("A receiver without a worker in its process", () => {
  it("needs the URL of a Redis that both reach (redis-url-missing)", async () => {
    const config = { redisUrl: null } as ServerConfig;
    await assert.rejects(openParts(config, ["receiver"]), { name: "ConfigError", code: "redis-url-missing" });
  });
});
