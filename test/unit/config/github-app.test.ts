// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration has references of that form
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { loadServerConfig, secretsOf } from "../../../src/config/server.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { openHosts } from "../../../src/hosts/index.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { testKeys } from "../../support/hosts/github/app.ts";
import { noTools } from "../../support/hosts/no-tools.ts";
import { serverFile } from "./server-file.ts";

describe("A GitHub App in the configuration", () => {
  const { load, path, problems } = serverFile();
  const file = (host: string) =>
    `hosts: { github: { type: github, webhookSecret: s3cret, ${host} } }\nrepos: [acme/*]\n`;
  const env = { APP_KEY: testKeys.pkcs1 };
  const plain = { GITHUB_WEBHOOK_SECRET: "s3cret", DELIVERD_REPOS: "acme/*" };

  it("stands in the place of a token, with its key in either form, and with line ends as two characters", async () => {
    for (const APP_KEY of [testKeys.pkcs1, testKeys.pkcs8, testKeys.pkcs8.replaceAll("\n", "\\n")]) {
      const config = await load(file('app: { id: "7", privateKey: "${APP_KEY}" }'), { APP_KEY });
      assert.equal((config.hosts.github as unknown as { app: { id: number } }).app.id, 7);
      assert.equal((await openHosts(config.hosts, noTools)).get("github")?.showsDetails, true);
    }
  });

  it("is not beside a token, and needs both its id and its key", async () => {
    assert.deepEqual(await problems(file('token: t0ken, app: { id: 7, privateKey: "${APP_KEY}" }'), env), [
      "deliverd.yml:1: hosts.github.app: found a map; expected either app or token: an App makes its own tokens",
    ]);
    const [noKey] = await problems(file("app: { id: 7 }"));
    assert.match(noKey ?? "", /hosts\.github\.app\.privateKey: left out; expected a secret text/);
    const [noId] = await problems(file('app: { privateKey: "${APP_KEY}" }'), env);
    assert.match(noId ?? "", /hosts\.github\.app\.id: left out; expected a whole number/);
  });

  it("shows nothing of its key in a message, and every line of it is masked", async () => {
    const text = (await problems(file("app: { id: no, privateKey: [c4n4ry] }"))).join("\n");
    assert.ok(!text.includes("c4n4ry"), text);
    const config = await load(file('app: { id: 7, privateKey: "${APP_KEY}" }'), env);
    const mask = createMask(secretsOf(config));
    const [, line = ""] = testKeys.pkcs1.split("\n");
    assert.ok(!mask(`a ${line} b`).includes(line));
    assert.ok(!mask(JSON.stringify(testKeys.pkcs1)).includes(line));
  });

  it("is refused at the start if its key is none (github-app-key-invalid)", async () => {
    const config = await load(file("app: { id: 7, privateKey: not-a-key }"));
    await assert.rejects(
      openHosts(config.hosts, noTools),
      (error) => error instanceof ConfigError && error.code === "github-app-key-invalid",
    );
  });

  it("comes from variables alone, the key also from a file", async () => {
    await writeFile(path("key.pem"), testKeys.pkcs8);
    const given = { ...plain, GITHUB_APP_ID: "7", GITHUB_APP_PRIVATE_KEY_FILE: path("key.pem") };
    const { hosts } = loadServerConfig({ env: given });
    assert.equal((await openHosts(hosts, noTools)).get("github")?.showsDetails, true);
    assert.throws(
      () => loadServerConfig({ env: { ...plain, GITHUB_APP_ID: "7" } }),
      (error) => error instanceof ConfigError && /environment: GITHUB_APP_PRIVATE_KEY: left out/.test(error.message),
    );
  });
});
