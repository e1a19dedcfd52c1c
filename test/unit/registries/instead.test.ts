import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import { HttpShelf } from "../../../src/registries/protocols/files/http-shelf.ts";
import type { VersionUpload } from "../../../src/registries/protocols/files/shelf.ts";
import { MavenShelf } from "../../../src/registries/protocols/maven/shelf.ts";
import { NpmShelf } from "../../../src/registries/protocols/npm/shelf.ts";
import { RegistryClient } from "../../../src/registries/protocols/oci/client.ts";
import { PypiShelf } from "../../../src/registries/protocols/pypi/shelf.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type Asked, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";

const FILE = { name: "hello-1.0.0.tgz", digest: `sha256:${"a".repeat(64)}`, size: 3 } as const;
const PAGE = "<!DOCTYPE html><html><title>Down for maintenance</title></html>";

function release(repository: string): VersionUpload {
  return {
    name: { registry: "r", repository, tag: "1.0.0", immutable: true },
    files: [FILE],
    content: { digest: FILE.digest, metadata: {} },
  } as unknown as VersionUpload;
}

describe("A proxy or maintenance page in front of a registry", () => {
  let server: ScriptedServer;
  let body: string | Buffer;
  let headers: Record<string, string>;
  const only = (path: RegExp) => (asked: Asked) => path.test(asked.url);
  let answers: (asked: Asked) => boolean;
  const { signal } = new AbortController();

  beforeEach(async () => {
    headers = {};
    answers = () => true;
    server = await startScriptedServer((asked, response) => {
      if (answers(asked)) response.writeHead(200, headers).end(body);
      else response.writeHead(asked.method === "PUT" ? 201 : 404).end();
    });
  });
  afterEach(() => server.close());

  const endpoint = () => ({ label: "r", url: new URL(server.url), authorize: async () => null });
  const looks: Record<string, () => Promise<unknown>> = {
    "an npm registry's package": () => new NpmShelf(endpoint()).look(FILE, release("hello"), signal),
    "a Python index's project": () =>
      new PypiShelf({ ...endpoint(), index: new URL(server.url) }).look(FILE, release("hello"), signal),
    "an OCI registry's manifest": () =>
      new RegistryClient({ key: "r", url: new URL(server.url), credentials: null }).getManifest("a/b", "1", signal),
    "a file server's metadata": () => new HttpShelf(endpoint()).begin(release("hello"), testRun()),
    "a Maven repository's metadata": () => new MavenShelf(endpoint()).begin(release("com.acme:hello"), testRun()),
  };
  for (const [what, look] of Object.entries(looks)) {
    it(`is to be asked again if ${what} is an empty response`, async () => {
      body = "";
      await assert.rejects(look(), (error) => error instanceof TransientError || assert.fail(String(error)));
    });
    if (what === "a Python index's project") continue;
    it(`is to be asked again if ${what} is an HTML page`, async () => {
      body = PAGE;
      await assert.rejects(look(), (error) => error instanceof TransientError || assert.fail(String(error)));
    });
  }

  it("is not mistaken for a broken list of Maven versions", async () => {
    body = PAGE;
    answers = only(/maven-metadata\.xml$/);
    const shelf = new MavenShelf(endpoint());
    const some = { ...release("com.acme:hello"), files: [] } as unknown as VersionUpload;
    await assert.rejects(
      shelf.finish(some, testRun()),
      (error) => error instanceof TransientError || assert.fail(String(error)),
    );
    body = "<project/>";
    await assert.rejects(shelf.finish(some, testRun()), (error) => error instanceof Refused);
  });

  describe("and optional parts of responses", () => {
    const tarball = () => `${server.url}/hello/-/hello-1.0.0.tgz`;
    const documents: Record<string, () => unknown> = {
      "dist-tags is null": () => ({ "dist-tags": null, versions: { "1.0.0": { dist: { tarball: tarball() } } } }),
      "a tag is null": () => ({ "dist-tags": { old: null }, versions: { "1.0.0": { dist: { tarball: tarball() } } } }),
      "another version is only a stub": () => ({
        versions: { "0.1.0": null, "0.2.0": {}, "0.3.0": { dist: null }, "1.0.0": { dist: { tarball: tarball() } } },
      }),
    };
    for (const [what, document] of Object.entries(documents)) {
      it(`of an npm registry: ${what}`, async () => {
        body = JSON.stringify(document());
        headers = { "content-type": "application/json" };
        assert.ok(await new NpmShelf(endpoint()).look(FILE, release("hello"), signal));
      });
    }

    it("of an npm registry: versions is null", async () => {
      body = '{"versions":null}';
      assert.equal(await new NpmShelf(endpoint()).look(FILE, release("hello"), signal), null);
    });

    it("of a Python index: the hash of another file is null", async () => {
      const files = [
        { filename: "hello-0.1.0.tgz", url: "hello-0.1.0.tgz", hashes: { sha256: null } },
        { filename: FILE.name, url: FILE.name, hashes: { sha256: "A".repeat(64), md5: null } },
        { filename: "odd.tgz", url: null },
      ];
      body = gzipSync(JSON.stringify({ files }));
      headers = { "content-encoding": "gzip" };
      const shelf = new PypiShelf({ ...endpoint(), index: new URL(server.url) });
      assert.equal((await shelf.look(FILE, release("hello"), signal))?.digest, FILE.digest);
    });
  });
});
