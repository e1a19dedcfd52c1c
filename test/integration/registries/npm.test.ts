import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { npmRegistry } from "../../../src/registries/npm/registry.ts";
import { NpmShelf } from "../../../src/registries/protocols/npm/shelf.ts";
import { Store } from "../../../src/store/store.ts";
import { tgzOf } from "../../support/fixtures/archives.ts";
import { freeze, npmPackage } from "../../support/fixtures/packages.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { tempDir, until } from "../../support/processes/process.ts";
import { startVerdaccio } from "../../support/registries/files/verdaccio.ts";
import { itKeepsContent, type Place } from "./contract.ts";

const run = promisify(execFile);

type Verdaccio = Awaited<ReturnType<typeof startVerdaccio>>;

/** npm itself, with no settings but these. */
async function npm(directory: string, registry: string, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: directory, npm_config_update_notifier: "false" };
  const { stdout } = await run("npm", [...args, `--registry=${registry}`, "--json"], { cwd: directory, env });
  return stdout;
}

function placeOf(server: Verdaccio, name: string): Place {
  return {
    kind: "npm",
    origin: server.url,
    config: (origin, secret = server.token) => ({ type: "npm", url: origin, token: secret }),
    shelf: (origin, authorize) => new NpmShelf({ label: "npm", url: new URL(origin), authorize }),
    authorization: `Bearer ${server.token}`,
    secrets: [server.token],
    name: (version) => ({ repository: name, tag: version }),
    files: async (version, salt) => ({ "package.tgz": await npmPackage(name, version, salt) }),
    sends: ({ method, url }) => method === "PUT" && !url.startsWith("/-/"),
    async readBack({ repository, tag }, [file = ""]) {
      const dir = await tempDir();
      try {
        const [packed] = Object.values(JSON.parse(await npm(dir.path, server.url, "pack", `${repository}@${tag}`)));
        return { [file]: await readFile(join(dir.path, (packed as { filename: string }).filename)) };
      } finally {
        await dir.remove();
      }
    },
    guards: true,
    holds: server.holds,
    stop: async () => {},
  };
}

describe("an npm registry (verdaccio)", () => {
  let server: Verdaccio;
  let dir: { path: string; remove(): Promise<void> };

  before(async function () {
    this.timeout(60_000);
    server = await startVerdaccio();
    dir = await tempDir();
  });
  after(async () => {
    await server?.stop();
    await dir?.remove();
  });

  itKeepsContent("with a scoped package", async () => placeOf(server, "@acme/hello"));

  const publish = async (name: string, version: string) => {
    const store = new Store(join(dir.path, "store"));
    const content = await freeze(store, { "p.tgz": await npmPackage(name, version) }, "npm");
    const registry = await npmRegistry("npm", { url: server.url, token: server.token }, { store });
    await registry.publish(content, { registry: "npm", repository: name, tag: version, immutable: true }, testRun());
  };

  it("is sent nothing but one package that may be published (npm-package)", async () => {
    const store = new Store(join(dir.path, "store"));
    const registry = await npmRegistry("npm", { url: server.url, token: server.token }, { store });
    const name = { registry: "npm", repository: "@acme/refused", tag: "1.0.0", immutable: true };
    const good = await npmPackage("@acme/refused", "1.0.0");
    const secret = await tgzOf({
      "package/package.json": JSON.stringify({ name: "@acme/refused", version: "1.0.0", private: true }),
    });
    for (const files of [{ "a.tgz": good, "b.tgz": good }, { "a.tgz": secret }, { "a.tgz": Buffer.from("no gzip") }]) {
      const publishing = registry.publish(await freeze(store, files, "npm"), name, testRun());
      await assert.rejects(publishing, { name: "UserError", code: "npm-package" });
    }
  });

  it("shows the highest release as latest, whatever came last, and untagged builds apart", async function () {
    this.timeout(60_000);
    for (const version of ["1.2.4-5.gab12cd3", "1.2.4", "2.0.0", "1.2.5", "2.0.1-1.gab12cd4"]) {
      await publish("plain", version);
    }
    const { "dist-tags": tags, ...shown } = JSON.parse(await npm(dir.path, server.url, "view", "plain"));
    assert.deepEqual(tags, { latest: "2.0.0", next: "2.0.1-1.gab12cd4", "latest-1": "1.2.5" });
    assert.equal(shown.description, 'A "test" – with\nmarks.');
  });

  it("says in a version's document which commit it is of, as npm does", async () => {
    await publish("told", "1.0.0");
    assert.equal(JSON.parse(await npm(dir.path, server.url, "view", "told", "gitHead")), "ab12cd3");
  });

  const atOnce = async (name: string, versions: string[], urls: string[]) => {
    const store = new Store(join(dir.path, "store"));
    // One registry each: two processes share no turn.
    const registries = await Promise.all(
      urls.map((url) => npmRegistry("npm", { url, token: server.token }, { store })),
    );
    await Promise.all(
      versions.map(async (tag, index) => {
        const content = await freeze(store, { "p.tgz": await npmPackage(name, tag) }, "npm");
        const at = { registry: "npm", repository: name, tag, immutable: true };
        await registries[index % registries.length]?.publish(content, at, testRun());
      }),
    );
    const { "dist-tags": tags } = JSON.parse(await npm(dir.path, server.url, "view", name));
    return tags as Record<string, string>;
  };

  it("has the higher of two releases as latest that one process publishes at once", async () => {
    assert.equal((await atOnce("turns", ["1.1.0", "1.0.0"], [server.url])).latest, "1.1.0");
    assert.equal((await atOnce("turns-again", ["1.0.0", "1.1.0"], [server.url])).latest, "1.1.0");
  });

  it("has the higher of two releases as latest where another process published it after we read the tags", async () => {
    const sent = new EventEmitter();
    const lowerSent = once(sent, "lower");
    // The lower one is sent first, and arrives once the higher one stands: each has read the tags before.
    const late = await startSlow(server.url, '"latest":"1.0.0"', async () => {
      sent.emit("lower");
      const packument = async () => (await fetch(`${server.url}/raced`)).json() as Promise<{ versions?: object }>;
      await until("the higher one stands", async () => "1.1.0" in ((await packument()).versions ?? {}));
    });
    const early = await startSlow(server.url, '"latest":"1.1.0"', () => lowerSent);
    try {
      assert.deepEqual(await atOnce("raced", ["1.0.0", "1.1.0"], [late.url, early.url]), { latest: "1.1.0" });
    } finally {
      await Promise.all([late.stop(), early.stop()]);
    }
  });

  it("publishes where the registry lets nobody set a tag", async () => {
    const refusing = await startSlow(server.url, null, async () => {}, 404);
    try {
      const store = new Store(join(dir.path, "store"));
      const registry = await npmRegistry("npm", { url: refusing.url, token: server.token }, { store });
      const lines: string[] = [];
      const run = { ...testRun(), log: { line: (text: string) => void lines.push(text), write: () => {} } };
      for (const version of ["0.9.0", "1.0.0"]) await publish("untagged", version);
      await fetch(`${server.url}/-/package/untagged/dist-tags/latest`, {
        method: "PUT",
        headers: { Authorization: `Bearer ${server.token}`, "Content-Type": "application/json" },
        body: '"0.9.0"',
      });
      const content = await freeze(store, { "p.tgz": await npmPackage("untagged", "1.0.0") }, "npm");
      await registry.publish(content, { registry: "npm", repository: "untagged", tag: "1.0.0", immutable: true }, run);
      assert.match(lines.join("\n"), /The tag latest of untagged should be 1\.0\.0, and was not set/);
    } finally {
      await refusing.stop();
    }
  });
});

/** Passes requests on; a body that holds the text waits first. @param tagStatus answers whoever sets a tag, instead of the server */
async function startSlow(server: string, text: string | null, wait: () => Promise<unknown>, tagStatus?: number) {
  const proxy = createServer(async (request, response) => {
    const body = await buffer(request);
    if (tagStatus !== undefined && request.url?.includes("/dist-tags/")) {
      response.writeHead(tagStatus, { "Content-Type": "application/json" }).end("{}");
      return;
    }
    if (text !== null && body.includes(text)) await wait();
    const headers = new Headers();
    for (const name of ["authorization", "content-type", "accept"])
      if (request.headers[name] !== undefined) headers.set(name, String(request.headers[name]));
    const { method = "GET" } = request;
    const answer = await fetch(`${server}${request.url}`, { method, headers, ...(body.length > 0 ? { body } : {}) });
    const type = answer.headers.get("content-type") ?? "application/octet-stream";
    response.writeHead(answer.status, { "Content-Type": type }).end(Buffer.from(await answer.arrayBuffer()));
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    async stop() {
      proxy.closeAllConnections();
      await promisify(proxy.close.bind(proxy))();
    },
  };
}
