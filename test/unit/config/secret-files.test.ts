import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadServerConfig, secretsOf } from "../../../src/config/server.ts";
import { whyUnreadable } from "../../../src/config/unreadable.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { tempDir } from "../../support/processes/process.ts";

const SECRETS = [
  "GITHUB_TOKEN",
  "GITHUB_WEBHOOK_SECRET",
  "DELIVERD_REGISTRY_PASSWORD",
  "DELIVERD_ADMIN_TOKEN",
  "DELIVERD_REDIS_URL",
  "DELIVERD_DATABASE_URL",
] as const;

const contentOf = (name: string) => (name.endsWith("_URL") ? urls[name] : `the-value-of-${name}`) ?? "";
const urls: Record<string, string> = {
  DELIVERD_REDIS_URL: "redis://:p1@redis",
  DELIVERD_DATABASE_URL: "postgres://u:p2@db/d",
};
const plain = { DELIVERD_REPOS: "acme/*", DELIVERD_REGISTRY: "http://r:5000", DELIVERD_REGISTRY_USERNAME: "u" };

describe("A secret that the environment gives as NAME_FILE", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let files: Record<string, string>;

  before(async () => {
    dir = await tempDir();
    files = {};
    for (const name of SECRETS) {
      files[`${name}_FILE`] = join(dir.path, name);
      await writeFile(join(dir.path, name), `${contentOf(name)}\n`);
    }
  });

  after(() => dir.remove());

  it("is the text of that file without its line end, for every secret, also where NAME is empty", () => {
    const empty = Object.fromEntries(SECRETS.map((name) => [name, ""]));
    const config = loadServerConfig({ env: { ...plain, ...empty, ...files } });
    const given = [
      ...[config.hosts.github?.token, config.hosts.github?.webhookSecret, config.registries.default?.password],
      ...[config.adminToken, config.redisUrl, config.databaseUrl],
    ];
    assert.deepEqual(given, SECRETS.map(contentOf));
  });

  it("is masked like any other", () => {
    const secrets = secretsOf(loadServerConfig({ env: { ...plain, ...files } }));
    const expected = SECRETS.filter((name) => !name.endsWith("_URL")).map(contentOf);
    for (const value of [...expected, "p1", "p2"]) assert.ok(secrets.includes(value), value);
  });

  it("is not read if NAME is set", () => {
    const env = { ...plain, ...files, GITHUB_TOKEN: "set", GITHUB_TOKEN_FILE: "/none" };
    assert.equal(loadServerConfig({ env }).hosts.github?.token, "set");
  });

  it("also stands for a reference to NAME in a server's file, and for the servers that the file leaves out", async () => {
    const path = join(dir.path, "deliverd.yml");
    await writeFile(
      path,
      `hosts: { github: { type: github, webhookSecret: "\${GITHUB_WEBHOOK_SECRET}" } }\nrepos: [acme/*]\n`,
    );
    const config = loadServerConfig({ path, env: { ...files, GITHUB_WEBHOOK_SECRET: "" } });
    assert.deepEqual(
      [config.hosts.github?.webhookSecret, config.redisUrl],
      [contentOf("GITHUB_WEBHOOK_SECRET"), contentOf("DELIVERD_REDIS_URL")],
    );
  });

  it("is told once, by the name of its variable, if its file cannot be read", async () => {
    const env = { DELIVERD_REPOS: "acme/*", GITHUB_WEBHOOK_SECRET_FILE: "/none" };
    const why = "the file /none cannot be read (ENOENT); expected a file that holds the value";
    assert.deepEqual(problemsOf({ env }), [
      `environment: GITHUB_WEBHOOK_SECRET_FILE: ${why}`,
      "Set these variables, or name a configuration file with --config or DELIVERD_CONFIG.",
    ]);
    const path = join(dir.path, "deliverd.yml");
    await writeFile(path, `hosts: { github: { type: github, webhookSecret: "\${S}" } }\nrepos: [acme/*]\n`);
    assert.deepEqual(problemsOf({ path, env: { S_FILE: "/none", DELIVERD_REDIS_URL_FILE: "/none" } }), [
      `${path}: environment variable DELIVERD_REDIS_URL_FILE: ${why}`,
      `${path}:1: hosts.github.webhookSecret: S_FILE: ${why}`,
    ]);
  });
});

describe("A file that belongs to another user", () => {
  it("is told with its mode, its owner, and the command that opens it", async () => {
    const dir = await tempDir();
    try {
      const path = join(dir.path, "deliverd.yml");
      await writeFile(path, "", { mode: 0o600 });
      const us = process.geteuid?.();
      const denied = Object.assign(new Error("permission denied"), { code: "EACCES" });
      assert.equal(
        whyUnreadable(path, denied),
        `(EACCES: it has the mode 0600 and belongs to the user ${us}, and deliverd runs as the user ${us}. ` +
          `Run \`chown ${us} <file>\` or \`chmod a+r <file>\` on the machine that has the file)`,
      );
      assert.equal(whyUnreadable("/none", denied), "(EACCES)");
    } finally {
      await dir.remove();
    }
  });
});

function problemsOf(options: Parameters<typeof loadServerConfig>[0]): string[] {
  try {
    loadServerConfig(options);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split("\n");
  }
  return assert.fail("no problem was found");
}
