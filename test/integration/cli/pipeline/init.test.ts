import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parsePipeline } from "../../../../src/config/pipeline.ts";
import { deliverd, type TestCheckout, testCheckout } from "./support.ts";

const SERVER = `hosts: { github: { type: github, webhookSecret: x } }
registries:
  second: { type: oci, url: "http://127.0.0.1:5001" }
  local: { type: oci, url: "http://127.0.0.1:5000", default: true }
  packages: { type: npm, url: "http://127.0.0.1:4873", token: x }
repos: [acme/*]
`;

describe("deliverd init", () => {
  let checkout: TestCheckout;

  beforeEach(async () => {
    checkout = await testCheckout();
  });
  afterEach(() => checkout.remove());

  const run = (...args: string[]) => deliverd(args, checkout.path);
  const written = () => readFile(join(checkout.path, ".deliverd.yml"), "utf8");

  it("writes an artifact for each project at the root and one folder below, which lint accepts", async () => {
    await checkout.write({
      ".gitignore": "ignored/\n",
      Dockerfile: "FROM scratch\n",
      "package.json": '{ "name": "all", "private": true }',
      "api/Dockerfile": "FROM scratch\n",
      "api/go.mod": "module api\n",
      "ignored/Dockerfile": "FROM scratch\n",
      "a/b/Dockerfile": "FROM scratch\n",
      "web app/package.json": '{ "name": "@acme/web", "scripts": { "build": "x" } }',
      "web app/package-lock.json": "{}",
      "lib/pom.xml": "<project><artifactId>lib</artifactId></project>",
      "parent/pom.xml": "<project><packaging>pom</packaging></project>",
      "gradle/build.gradle.kts": "",
      "py/pyproject.toml": "[project]\n",
      "tool/go.mod": "module tool\n",
      "rust/Cargo.toml": "[package]\n",
      "rust/src/main.rs": "",
      "crate/Cargo.toml": "[package]\n",
    });
    const { code, stderr } = await run("init");
    assert.equal(code, 0, stderr);
    const { artifacts } = parsePipeline(await written());
    assert.deepEqual(
      artifacts.map(({ name, kind, publish }) => `${name} ${kind} ${publish[0]?.to} ${publish[0]?.as ?? ""}`.trim()),
      [
        "api image default acme/api",
        "api-image image default acme/api-api-image",
        "gradle jar maven acme:gradle",
        "lib jar maven",
        "py wheel pypi",
        "rust file files",
        "tool file files",
        "web-app npm npm",
      ],
    );
    const web = artifacts.find(({ name }) => name === "web-app");
    assert.deepEqual(web?.build?.run, [
      "cd 'web app' && npm ci",
      "cd 'web app' && npm version $DELIVERD_VERSION --no-git-tag-version --allow-same-version",
      "cd 'web app' && npm run build",
      "cd 'web app' && npm pack",
    ]);
    assert.deepEqual([web?.paths, web?.files], [["web app/**"], ["web app/*.tgz"]]);
    for (const skipped of ["package.json: it is private", "api/go.mod: ", "parent/pom.xml: ", "crate/Cargo.toml: "])
      assert.ok(stderr.includes(skipped), stderr);
    const linted = await run("lint");
    assert.equal(linted.code, 0, linted.stdout);
  });

  it("quotes a folder's name that YAML would not read as a text, or that turns text around", async () => {
    const folders = ["123", "1e3", "null", "true", "a: b #c", "left\u202eright"];
    await checkout.write(Object.fromEntries(folders.map((folder) => [`${folder}/Dockerfile`, "FROM scratch\n"])));
    const { code, stderr } = await run("init");
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(await written(), /\u202e/);
    const contexts = parsePipeline(await written()).artifacts.map(({ context }) => context);
    assert.deepEqual(contexts.toSorted(), folders.toSorted());
    const linted = await run("lint");
    assert.equal(linted.code, 0, linted.stdout);
  });

  it("writes what the guide shows for a Dockerfile", async () => {
    await checkout.write({ Dockerfile: "FROM scratch\n" });
    const guide = await readFile(new URL("../../../../docs/guides/write-a-pipeline.md", import.meta.url), "utf8");
    const [, shown] = /^```text\n(# What deliverd[\s\S]*?)^```$/m.exec(guide) ?? [];
    assert.equal((await run("init", "--print")).stdout, shown);
  });

  it("never overwrites a pipeline, and prints one without writing it", async () => {
    await checkout.write({ Dockerfile: "FROM scratch\n", ".deliverd.yml": "mine\n" });
    const { code, stderr } = await run("init");
    assert.equal(code, 1);
    assert.match(stderr, /\.deliverd\.yml is there already, and is left as it is\. --print shows/);
    const printed = await run("init", "--print");
    assert.equal(printed.code, 0);
    assert.equal(parsePipeline(printed.stdout).artifacts.length, 1);
    assert.equal(await written(), "mine\n");
  });

  it("names the registries of a server's file, and says which kinds none of them takes", async () => {
    await checkout.write({
      Dockerfile: "FROM scratch\n",
      "web/package.json": '{ "name": "web" }',
      "py/pyproject.toml": "[project]\n",
    });
    const config = join(checkout.path, ".git", "deliverd.yml");
    await writeFile(config, SERVER);
    const { stdout, stderr } = await run("init", "--print", "--config", config);
    assert.deepEqual(
      parsePipeline(stdout).artifacts.map(({ publish }) => publish[0]?.to),
      ["local", "pypi", "packages"],
    );
    assert.match(stderr, /no registry of the server takes artifacts of kind wheel/);
  });

  it("exits with 1 where there is nothing to deliver, and names what it looks for", async () => {
    await checkout.write({ "readme.txt": "", "package.json": "not JSON" });
    const { code, stdout, stderr } = await run("init");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /nothing to deliver was found.*Dockerfile, package\.json.*\npackage\.json: it cannot be read/s,
    );
  });
});
