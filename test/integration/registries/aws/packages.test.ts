import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type CodeArtifactConfig, codeArtifactRegistry } from "../../../../src/registries/codeartifact/registry.ts";
import type { Registry } from "../../../../src/registries/registry.ts";
import { jar, npmPackage, wheel } from "../../../support/fixtures/packages.ts";
import { testRun } from "../../../support/fixtures/run.ts";
import { tempDir } from "../../../support/processes/process.ts";
import type { Door } from "../../../support/registries/aws/door.ts";
import { account } from "../../../support/registries/aws/ecr.ts";
import { freeze, type House, named, openHouse } from "../../../support/registries/aws/house.ts";
import { startNginx } from "../../../support/registries/files/nginx.ts";
import { startPypi } from "../../../support/registries/files/pypi.ts";
import { LOGIN, TOKEN } from "../../../support/registries/files/server.ts";
import { startVerdaccio } from "../../../support/registries/files/verdaccio.ts";
import { mavenGet } from "../../../support/registries/maven-client.ts";

const run = promisify(execFile);
const config: CodeArtifactConfig = { region: "eu-west-1", domain: "acme", domainOwner: account, repository: "main" };

type ReadBack = (order: { url: URL; token: string; version: string; directory: string }) => Promise<Buffer>;

interface Kind {
  kind: "npm" | "wheel" | "jar";
  format: string;
  repository: string;
  files(version: string, salt?: string): Promise<Record<string, Buffer>>;
  /** Starts what keeps the packages behind CodeArtifact's endpoint. */
  start(): Promise<{ url: string; authorization: string; inside?: (path: string) => string; stop(): Promise<void> }>;
  readBack: ReadBack;
}

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

async function onlyFile(directory: string, form: RegExp): Promise<Buffer> {
  const names = (await readdir(directory)).filter((name) => form.test(name));
  assert.equal(names.length, 1);
  return readFile(join(directory, names[0] ?? ""));
}

const npm: Kind = {
  kind: "npm",
  format: "npm",
  repository: "@acme/hello",
  files: async (version, salt) => ({ "package.tgz": await npmPackage("@acme/hello", version, salt) }),
  async start() {
    const server = await startVerdaccio();
    return { ...server, authorization: `Bearer ${server.token}` };
  },
  async readBack({ url, token, version, directory }) {
    await writeFile(join(directory, ".npmrc"), `//${url.host}${url.pathname}:_authToken=${token}\n`);
    const env = { PATH: process.env.PATH, HOME: directory, npm_config_update_notifier: "false" };
    await run("npm", ["pack", `@acme/hello@${version}`, `--registry=${url.href}`], { cwd: directory, env });
    return onlyFile(directory, /\.tgz$/);
  },
};

const python: Kind = {
  kind: "wheel",
  format: "pypi",
  repository: "acme-hello",
  files: async (version, salt) => ({
    [`acme_hello-${version}-py3-none-any.whl`]: await wheel("Acme.Hello", version, salt),
  }),
  async start() {
    const server = await startPypi();
    const url = new URL(server.url).origin;
    return {
      ...{ url, authorization: basic("__token__", TOKEN), stop: server.stop },
      inside: (path) => (path === "/" ? "/legacy/" : path),
    };
  },
  async readBack({ url, token, version, directory }) {
    const index = new URL("simple/", url);
    index.username = "aws";
    index.password = token;
    const env = { PATH: process.env.PATH, HOME: directory, PIP_CONFIG_FILE: "/dev/null", PIP_NO_CACHE_DIR: "1" };
    const args = ["-m", "pip", "download", "--isolated", "--quiet", "--no-deps", "--no-build-isolation"];
    await run("/usr/bin/python3", [...args, "--index-url", index.href, "-d", directory, `acme-hello==${version}`], {
      env,
    });
    return onlyFile(directory, /\.whl$/);
  },
};

const maven: Kind = {
  kind: "jar",
  format: "maven",
  repository: "org.example:hello",
  files: async (version, salt = "") => ({ [`hello-${version}.jar`]: await jar({ "Hello.txt": `${version} ${salt}` }) }),
  async start() {
    const server = await startNginx("basic");
    return { ...server, authorization: basic(LOGIN.username, LOGIN.password) };
  },
  readBack: ({ url, token, version }) =>
    mavenGet(`org.example:hello:${version}`, url.href, { username: "aws", password: token }),
};

for (const { kind, format, repository, files, start, readBack } of [npm, python, maven]) {
  describe(`A CodeArtifact registry of ${kind} packages (its API a stand-in, with a package server behind it)`, () => {
    let house: House;
    let behind: Awaited<ReturnType<Kind["start"]>>;
    let door: Door;
    let registry: Registry;

    before(async function () {
      this.timeout(60_000);
      behind = await start();
      house = await openHouse();
      door = await house.aws.codeartifact.open(format, behind);
      registry = open();
    });
    afterEach(() => {
      house.aws.codeartifact.atDoor = () => null;
    });
    after(async () => {
      await house?.remove();
      await behind?.stop();
    });

    const open = () => codeArtifactRegistry("ca", config, { store: house.store });
    const freezeVersion = async (version: string, salt = "") => ({
      ...(await freeze(house.store, kind, await files(version, salt))),
      ...(kind === "jar" ? {} : { package: { name: repository, version } }),
    });
    const name = (version: string) => named("ca", repository, version);
    const writes = () => door.passed.filter(({ method }) => method === "PUT" || method === "POST").length;

    it("publishes once what the ecosystem's own client reads back byte for byte", async function () {
      this.timeout(60_000);
      const content = await freezeVersion("1.0.0");
      assert.equal(await registry.find(name("1.0.0"), testRun(), content), null);
      const location = await registry.publish(content, name("1.0.0"), testRun());
      assert.equal(location.digest, content.digest);
      assert.deepEqual(await registry.find(name("1.0.0"), testRun(), content), { digest: content.digest });
      const dir = await tempDir();
      try {
        const [token = ""] = house.aws.codeartifact.tokens.all;
        const url = new URL(`${door.url}/${format}/main/`);
        const bytes = await readBack({ url, token, version: "1.0.0", directory: dir.path });
        assert.deepEqual(bytes, Object.values(await files("1.0.0"))[0]);
      } finally {
        await dir.remove();
      }
    });

    it("accepts the same content again, and refuses other bytes under the name", async () => {
      const content = await freezeVersion("1.1.0");
      const first = await registry.publish(content, name("1.1.0"), testRun());
      const before = writes();
      assert.deepEqual(await registry.publish(content, name("1.1.0"), testRun()), first);
      // Maven's list of versions is put again: it is what ends a version.
      assert.ok(kind === "jar" || writes() === before);
      const other = await freezeVersion("1.1.0", "other");
      await assert.rejects(registry.publish(other, name("1.1.0"), testRun()), { name: "Refused", code: "name-taken" });
    });

    it("restores a version into a store that has lost it", async () => {
      const content = await freezeVersion("1.2.0");
      const location = await registry.publish(content, name("1.2.0"), testRun());
      await house.store.remove(content.digest);
      assert.equal(await registry.restore(location, testRun(), content), true);
      assert.equal(await house.store.has(content.digest), true);
    });

    it("requests a new token during a push when the old one has expired", async () => {
      const content = await freezeVersion("1.3.0");
      const before = house.aws.count("GetAuthorizationToken");
      let ended = false;
      house.aws.codeartifact.atDoor = ({ method }) => {
        if (!ended && (method === "PUT" || method === "POST")) {
          ended = true;
          house.aws.codeartifact.tokens.endAll();
        }
        return null;
      };
      await registry.publish(content, name("1.3.0"), testRun());
      assert.equal(house.aws.count("GetAuthorizationToken"), before + 1);
      assert.deepEqual(await registry.find(name("1.3.0"), testRun(), content), { digest: content.digest });
    });

    it("waits as long as the registry asks, and names the rights if no token is accepted", async () => {
      const content = await freezeVersion("1.4.0");
      house.aws.codeartifact.atDoor = () => ({ status: 429, headers: { "Retry-After": "7" } });
      await assert.rejects(registry.publish(content, name("1.4.0"), testRun()), {
        ...{ name: "TransientError", code: "registry-limited", retryAfter: 7000 },
      });
      house.aws.codeartifact.atDoor = () => ({ status: 401 });
      await assert.rejects(open().publish(content, name("1.4.0"), testRun()), (error: Error & { code: string }) => {
        assert.deepEqual([error.name, error.code], ["Refused", "registry-denied"]);
        assert.match(error.message, /codeartifact:PublishPackageVersion/);
        for (const token of house.aws.codeartifact.tokens.all) assert.ok(!error.message.includes(token));
        return true;
      });
    });
  });
}
