import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadServerConfig } from "../../../src/config/server.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { tempDir } from "../../support/processes/process.ts";

/** Everything that has to be in a server's file. */
export const HOSTS = "hosts: { github: { type: github, webhookSecret: s3cret } }";
export const REPOS = "repos: [acme/*]";
export const minimal = (...lines: string[]) => [HOSTS, REPOS, ...lines].join("\n");

/** Reads texts as a server's file, in a directory that is gone after the tests of the suite that calls this. */
export function serverFile() {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  before(async () => {
    dir = await tempDir();
  });
  after(() => dir.remove());

  const path = (name = "deliverd.yml") => join(dir.path, name);
  async function load(yaml: string, env: Record<string, string> = {}) {
    await writeFile(path(), yaml);
    return loadServerConfig({ path: path(), env });
  }
  /** What is wrong with a file, without the directory it lies in. */
  async function problems(yaml: string, env: Record<string, string> = {}): Promise<string[]> {
    const error: unknown = await load(yaml, env).then(
      () => assert.fail("no problem was found"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.code, "bad-config");
    return error.message.replaceAll(path(), "deliverd.yml").split("\n");
  }
  return { path, load, problems };
}
