import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import { basicAuth } from "../../../src/http/login.ts";
import { httpRegistry } from "../../../src/registries/http/registry.ts";
import { HttpShelf } from "../../../src/registries/protocols/files/http-shelf.ts";
import type { StampedContent } from "../../../src/registries/registry.ts";
import { freezeFiles } from "../../../src/store/files.ts";
import { Store } from "../../../src/store/store.ts";
import { freeze } from "../../support/fixtures/packages.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { startFaultyProxy } from "../../support/network/faulty-proxy.ts";
import { memoryOf } from "../../support/processes/memory.ts";
import { tempDir } from "../../support/processes/process.ts";
import { startApache } from "../../support/registries/files/apache.ts";
import { startNginx } from "../../support/registries/files/nginx.ts";
import { type FileServer, LOGIN, TOKEN } from "../../support/registries/files/server.ts";
import { itKeepsContent, type Place } from "./contract.ts";

const run = promisify(execFile);

/** @param login as curl and as we are told it */
function placeOf(
  server: FileServer,
  login: { curl: string[]; authorization: string; config(secret?: string): object },
) {
  const path = "/artifacts";
  const place: Place = {
    kind: "file",
    origin: server.url,
    config: (origin, secret) => ({ type: "http", url: `${origin}${path}`, ...login.config(secret) }),
    shelf: (origin, authorize) => new HttpShelf({ label: "files", url: new URL(`${origin}${path}`), authorize }),
    authorization: login.authorization,
    secrets: [LOGIN.password, TOKEN, basicAuth(LOGIN.username, LOGIN.password).slice("Basic ".length)],
    name: (version) => ({ repository: "acme/tools/cli", tag: version }),
    files: async (version, salt) => ({
      "an empty file (1)": Buffer.alloc(0),
      "cli-linux": Buffer.from(`${version} ${salt}`.repeat(10_000)),
      "cli mac+arm": Buffer.from(`mac ${version} ${salt}`),
    }),
    sends: ({ method, url }, file) => method === "PUT" && decodeURIComponent(url).endsWith(`/${file}`),
    async readBack({ url }, files) {
      const read = files.map(async (file): Promise<[string, Buffer]> => {
        const from = `${url}${encodeURIComponent(file)}`;
        const { stdout } = await run("curl", ["-sSf", ...login.curl, from], { encoding: "buffer" });
        return [file, stdout];
      });
      return Object.fromEntries(await Promise.all(read));
    },
    guards: login === withPassword,
    holds: server.holds,
    stop: server.stop,
  };
  return place;
}

const withPassword = {
  curl: ["-u", `${LOGIN.username}:${LOGIN.password}`],
  authorization: basicAuth(LOGIN.username, LOGIN.password),
  config: (secret = LOGIN.password) => ({ username: LOGIN.username, password: secret }),
};
const withToken = {
  curl: ["-H", `Authorization: Bearer ${TOKEN}`],
  authorization: `Bearer ${TOKEN}`,
  config: (secret = TOKEN) => ({ token: secret }),
};

describe("an HTTP store", () => {
  let server: FileServer;
  let dir: { path: string; remove(): Promise<void> };
  before(async () => {
    server = await startNginx("bearer");
    dir = await tempDir();
  });
  after(async () => {
    await server?.stop();
    await dir?.remove();
  });

  const open = (url = server.url) => {
    const store = new Store(join(dir.path, "store"));
    return { store, registry: httpRegistry("files", { url, token: TOKEN }, { store }) };
  };
  const named = (tag: string, repository = "acme/big") => ({ registry: "files", repository, tag, immutable: true });

  it("takes a file of any size, of which never more than a few MB are in memory", async function () {
    this.timeout(60_000);
    const { store, registry } = open();
    const bytes = 128 * 1024 * 1024;
    const chunk = randomBytes(1024 * 1024);
    const { digest, size } = await store.write(Readable.from(Array(128).fill(chunk)), { maxBytes: bytes });
    const file = { name: "big.bin", digest, size };
    const frozen = await freezeFiles(store, [file]);
    const content: StampedContent = { ...frozen, kind: "file", metadata: {} };
    const grown = await memoryOf(async () => {
      const location = await registry.publish(content, named("1.0.0"), testRun());
      await registry.pull(location, new Writable({ write: (_chunk, _encoding, done) => done() }), testRun(), content);
    });
    assert.ok(grown < 64, `grew by ${grown} MB`);
  });

  it("reads no byte again of what it knows not to have changed", async () => {
    const proxy = await startFaultyProxy(server.url);
    try {
      const { store, registry } = open(proxy.url);
      const content = await freeze(store, { "a.txt": Buffer.from("a") }, "file");
      await registry.publish(content, named("2.0.0"), testRun());
      proxy.passed.length = 0;
      assert.deepEqual(await registry.find(named("2.0.0"), testRun(), content), { digest: content.digest });
      assert.deepEqual(
        proxy.passed.map(({ method }) => method),
        ["HEAD"],
      );
      await writeFile(join(server.directory, "acme/big/2.0.0/a.txt"), "b");
      await utimes(join(server.directory, "acme/big/2.0.0/a.txt"), new Date(0), new Date(0));
      assert.notEqual((await registry.find(named("2.0.0"), testRun(), content))?.digest, content.digest);
    } finally {
      await proxy.stop();
    }
  });

  it("needs no HEAD where a server knows none", async () => {
    const proxy = await startFaultyProxy(server.url);
    try {
      proxy.fault = ({ method }) => (method === "HEAD" ? { status: 405 } : undefined);
      const { store, registry } = open(proxy.url);
      const content = await freeze(store, { "a.txt": Buffer.alloc(1_000_000) }, "file");
      assert.equal(await registry.find(named("2.1.0"), testRun(), content), null);
      await registry.publish(content, named("2.1.0"), testRun());
      assert.deepEqual(await registry.find(named("2.1.0"), testRun(), content), { digest: content.digest });
    } finally {
      await proxy.stop();
    }
  });

  it("keeps the facts of the release beside the files, and refuses what would mix with them", async () => {
    const { store, registry } = open();
    const content = await freeze(store, { "a.txt": Buffer.from("a") }, "file");
    await registry.publish(content, named("3.0.0"), testRun());
    const beside = JSON.parse(await readFile(join(server.directory, "acme/big/3.0.0/deliverd.json"), "utf8"));
    assert.equal(beside.digest, content.digest);
    assert.deepEqual(beside.metadata, content.metadata);
    const other = await freeze(store, { "b.txt": Buffer.from("b") }, "file");
    await assert.rejects(registry.publish(other, named("3.0.0"), testRun()), { code: "name-taken" });
    assert.deepEqual(
      (await server.holds()).filter((path) => path.startsWith("acme/big/3.0.0/")),
      ["acme/big/3.0.0/a.txt", "acme/big/3.0.0/deliverd.json"],
    );
    const ours = await freeze(store, { "deliverd.json": Buffer.from("{}") }, "file");
    await assert.rejects(registry.publish(ours, named("3.0.1"), testRun()), { code: "name-invalid" });
  });

  it("never overwrites what somebody else put there", async () => {
    const { store, registry } = open();
    const theirs = join(server.directory, "acme/big/3.1.0/b.txt");
    await mkdir(dirname(theirs), { recursive: true });
    await writeFile(theirs, "theirs");
    const files = { "a.txt": Buffer.from("a"), "b.txt": Buffer.from("b") };
    const content = await freeze(store, files, "file");
    await assert.rejects(registry.publish(content, named("3.1.0"), testRun()), { code: "name-taken" });
    assert.equal(await readFile(theirs, "utf8"), "theirs");
    assert.deepEqual(
      (await server.holds()).filter((path) => path.startsWith("acme/big/3.1.0/")),
      ["acme/big/3.1.0/b.txt"],
    );
  });

  it("never leaves its own folder, whatever a name says", async () => {
    const { store, registry } = open(`${server.url}/inner`);
    const content = await freeze(store, { "a.txt": Buffer.from("a") }, "file");
    for (const repository of ["../outer", "a/../../outer", "a//b", "a/.", "a\\..\\b"]) {
      await assert.rejects(registry.publish(content, named("4.0.0", repository), testRun()), { code: "name-invalid" });
    }
    const { url } = await registry.publish(content, named("4.0.0", "a/%2e%2e/%2e%2e/outer"), testRun());
    assert.ok(new URL(url).pathname.startsWith("/inner/a/%252e%252e/"));
  });

  it("damaged meanwhile leaves nothing behind where it is pulled", async () => {
    const { store, registry } = open();
    const content = await freeze(store, { "a.txt": Buffer.from("good") }, "file");
    const location = await registry.publish(content, named("5.0.0"), testRun());
    await writeFile(join(server.directory, "acme/big/5.0.0/a.txt"), "evil");
    const sink = new PassThrough();
    await assert.rejects(registry.pull(location, sink.resume(), testRun(), content), { code: "content-differs" });
    assert.ok(sink.destroyed);
    await store.remove(content.digest);
    await assert.rejects(registry.restore(location, testRun(), content), { code: "content-differs" });
    assert.equal(await store.has(content.digest), false);
  });

  it("that takes no PUT, or whose login is half given, is told at the start", async () => {
    const plain = createServer((_request, response) => response.writeHead(405).end());
    plain.listen(0, "127.0.0.1");
    await once(plain, "listening");
    try {
      const address = plain.address();
      const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
      await assert.rejects(open(url).registry.check(), { name: "ConfigError", code: "registry-refused" });
    } finally {
      plain.close();
      plain.closeAllConnections();
    }
    const { store } = open();
    for (const login of [{ username: "ci" }, { password: "p" }, { ...LOGIN, token: "t" }]) {
      assert.throws(() => httpRegistry("files", { url: server.url, ...login }, { store }), {
        code: "registry-credentials",
      });
    }
    for (const url of ["files.example.com", "ftp://example.com", "http://a:b@example.com", "http://example.com/?a=b"]) {
      assert.throws(() => httpRegistry("files", { url }, { store }), { code: "registry-url" });
    }
  });
});

itKeepsContent("an HTTP store (nginx, Bearer)", async () => placeOf(await startNginx("bearer"), withToken));
itKeepsContent("an HTTP store (Apache, Basic)", async () => placeOf(await startApache(), withPassword));
