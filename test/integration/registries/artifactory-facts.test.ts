import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { ArtifactKind, ArtifactName } from "../../../src/delivery/types.ts";
import { type ArtifactoryConfig, artifactoryRegistry } from "../../../src/registries/artifactory/registry.ts";
import type { Registry, StampedContent } from "../../../src/registries/registry.ts";
import { Store } from "../../../src/store/store.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { type FilesByName, freeze, jar, npmPackage, wheel } from "../../support/fixtures/packages.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { tempDir } from "../../support/processes/process.ts";
import { type ArtifactoryStandIn, startArtifactory } from "../../support/registries/artifactory/server.ts";
import { startRegistry } from "../../support/registries/docker-registry.ts";
import { startPypi } from "../../support/registries/files/pypi.ts";
import { TOKEN } from "../../support/registries/files/server.ts";
import { startVerdaccio } from "../../support/registries/files/verdaccio.ts";

const run = promisify(execFile);
const SHA = "ab12cd3".padEnd(40, "0");
const METADATA = {
  "org.opencontainers.image.revision": SHA,
  "org.opencontainers.image.source": "https://git.example.com/acme/api",
  "org.opencontainers.image.version": "1.2.0",
  "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
  "org.opencontainers.image.ref.name": "feature/a,b=c|d (ü)",
  "dev.deliverd.delivery": "d1",
};
const PROPERTIES = {
  ...Object.fromEntries(Object.entries(METADATA).map(([key, value]) => [key, [value]])),
  "build.name": ["acme/api"],
  "build.number": ["1.2.0"],
  "build.timestamp": [String(Date.UTC(2026, 0, 2, 3, 4, 5))],
};
const REPOSITORIES = { docker: "images", maven: "libs", npm: "modules", pypi: "wheels", generic: "files" } as const;

describe("the properties of a release in Artifactory (stand-in)", function () {
  this.timeout(60_000);
  let art: ArtifactoryStandIn;
  let store: Store;
  let dir: { path: string; remove(): Promise<void> };
  let stop: (() => Promise<unknown>)[] = [];

  before(async () => {
    dir = await tempDir();
    store = new Store(join(dir.path, "store"));
    const [docker, verdaccio, pypi] = await Promise.all([startRegistry(), startVerdaccio(), startPypi()]);
    const types = Object.entries(REPOSITORIES).map(([type, name]) => [name, type as keyof typeof REPOSITORIES]);
    art = await startArtifactory(Object.fromEntries([...types, ["released", "generic"]]), {
      ...{ docker: docker.url, npm: verdaccio.url, npmToken: verdaccio.token, pypi: new URL(pypi.url).origin },
      pypiLogin: `Basic ${Buffer.from(`__token__:${TOKEN}`).toString("base64")}`,
    });
    stop = [art.stop, docker.stop, verdaccio.stop, pypi.stop, dir.remove];
  });
  after(async () => {
    for (const step of stop) await step();
  });
  beforeEach(() => {
    Object.assign(art.rights, { deploy: true, overwrite: false, annotate: true });
    art.storage.files.clear();
    art.storage.properties.clear();
    art.builds.all.clear();
    art.requests.length = 0;
    art.violations.length = 0;
  });
  afterEach(() => assert.deepEqual(art.violations, []));

  const open = (more: Partial<ArtifactoryConfig> = {}): Registry => {
    const login = { username: art.username, password: art.password };
    return artifactoryRegistry("art", { url: art.url, ...login, repositories: REPOSITORIES, ...more }, { store });
  };
  const named = (repository: string, tag: string): ArtifactName => ({
    registry: "art",
    repository,
    tag,
    immutable: true,
  });
  const frozen = async (
    kind: ArtifactKind,
    files: FilesByName,
    more: Partial<StampedContent> = {},
  ): Promise<StampedContent> => ({
    ...(await freeze(store, files, kind)),
    metadata: METADATA,
    ...more,
  });
  const failure = (work: Promise<unknown>) => work.catch((reason: unknown) => reason);
  const sentBytes = () => art.requests.filter((each) => /^PUT \/artifactory\/files\//.test(each)).length;

  it("comes with a generic file in the very request that stores it, properly encoded", async () => {
    const content = await frozen("file", {
      "tool.bin": Buffer.from("a tool"),
      "with space; and=.txt": Buffer.from("x"),
    });
    const location = await open().publish(content, named("acme/api/tool", "1.2.0"), testRun());
    assert.deepEqual([...art.storage.properties.keys()].sort(), [
      "files/acme/api/tool/1.2.0/tool.bin",
      "files/acme/api/tool/1.2.0/with space; and=.txt",
    ]);
    for (const properties of art.storage.properties.values()) assert.deepEqual(properties, PROPERTIES);
    assert.deepEqual(
      art.requests.filter((each) => each.startsWith("PUT /artifactory/api/storage")),
      [],
    );
    assert.equal(location.url, `${art.url}/files/acme/api/tool/1.2.0/`);
    assert.match(location.pull, /curl -fLO -u <user>:<token> .*tool\.bin && curl .*with%20space%3B%20and%3D\.txt$/);
  });

  it("is one build of the whole commit, whatever its kinds, and a promotion finds every file of it", async () => {
    const registry = open();
    const image = { ...(await freezeImage(store)), kind: "image" as const, metadata: METADATA };
    const npm = { name: "@acme/hello", version: "1.2.0" };
    const contents: [StampedContent, ArtifactName][] = [
      [image, named("acme/api", "1.2.0")],
      [image, named("acme/api", `sha-${SHA.slice(0, 7)}`)],
      [await frozen("file", { "tool.bin": Buffer.alloc(30_000, "t") }), named("acme/api/tool", "1.2.0")],
      [await frozen("jar", { "library-1.2.0.jar": await jar({}) }), named("org.example:library", "1.2.0")],
      [
        await frozen("npm", { "p.tgz": await npmPackage(npm.name, npm.version) }, { package: npm }),
        named(npm.name, npm.version),
      ],
      [
        await frozen(
          "wheel",
          { "acme_hello-1.2.0-py3-none-any.whl": await wheel("acme-hello", "1.2.0") },
          { package: npm },
        ),
        named("acme-hello", "1.2.0"),
      ],
    ];
    // Side by side, as the destinations of one artifact are: no module may be lost.
    await Promise.all(contents.map(([content, name]) => registry.publish(content, name, testRun())));
    const { modules, started, vcs, agent } = art.builds.get("acme/api", "1.2.0");
    assert.deepEqual(
      [started, vcs, agent.name],
      ["2026-01-02T03:04:05.000+0000", [{ revision: SHA, url: "https://git.example.com/acme/api" }], "deliverd"],
    );
    assert.deepEqual(modules.map(({ id, type, artifacts }) => [id, type, artifacts.length]).sort(), [
      ["@acme/hello:1.2.0", "npm", 1],
      ["acme-hello:1.2.0", "python", 1],
      ["acme/api/tool:1.2.0", "generic", 1],
      ["acme/api:1.2.0", "docker", 8],
      ["org.example:library:1.2.0", "maven", 1],
    ]);
    const told = modules.flatMap((module) => module.artifacts.map(({ path }) => path));
    for (const path of told) {
      const [full = ""] = [...art.storage.files.keys()].filter((each) => each.endsWith(`/${path}`));
      assert.deepEqual(art.storage.properties.get(full), PROPERTIES, path);
    }

    const promote = await fetch(`${art.url}/api/build/promote/acme%2Fapi/1.2.0`, {
      method: "POST",
      headers: { authorization: `Bearer ${art.token}`, "content-type": "application/json" },
      body: JSON.stringify({ status: "released", targetRepo: "released", copy: true }),
    });
    assert.equal(promote.status, 200, await promote.text());
    assert.equal([...art.storage.files.keys()].filter((path) => path.startsWith("released/")).length, told.length);

    const login = ["--src-creds", `${art.username}:${art.token}`, "--src-tls-verify=false"];
    const from = `docker://${art.host}/images/acme/api:1.2.0`;
    await run("skopeo", ["--insecure-policy", "copy", ...login, from, `dir:${join(dir.path, "image")}`]);
    const { stdout } = await run("skopeo", ["manifest-digest", join(dir.path, "image", "manifest.json")]);
    assert.equal(stdout.trim(), image.digest);

    const before = art.requests.length;
    for (const [content, name] of contents) await registry.publish(content, name, testRun());
    const again = art.requests.slice(before).filter((each) => !/^(?:GET|HEAD) /.test(each));
    assert.deepEqual(again, []);
  });

  it("sends bytes that Artifactory has by their checksum alone, and asks so only where it is worth it", async () => {
    const content = await frozen("file", { "large.bin": Buffer.alloc(10_240, "l"), "small.txt": Buffer.from("s") });
    const registry = open();
    await registry.publish(content, named("acme/api/tool", "1.2.0-1.gab12cd3"), testRun());
    assert.equal(sentBytes(), 3);
    art.requests.length = 0;
    await registry.publish(content, named("acme/api/tool", "1.2.0"), testRun());
    assert.equal(sentBytes(), 2);
    assert.equal(art.storage.files.size, 4);
    const { modules } = art.builds.get("acme/api", "1.2.0");
    assert.deepEqual(
      modules.map(({ artifacts }) => artifacts.map(({ path }) => path.split("/")[3])),
      [["1.2.0-1.gab12cd3", "1.2.0-1.gab12cd3", "1.2.0", "1.2.0"]],
    );
  });

  it("is told once more where it was cut off between the files and their facts", async () => {
    const content = await frozen("jar", { "library-1.2.0.jar": await jar({}) });
    const name = named("org.example:library", "1.2.0");
    art.rights.annotate = false;
    await assert.rejects(open().publish(content, name, testRun()), { code: "registry-denied" });
    assert.deepEqual(await open().find(name, testRun(), content), { digest: content.digest });
    art.rights.annotate = true;
    await open().publish(content, name, testRun());
    assert.deepEqual(art.storage.properties.get("libs/org/example/library/1.2.0/library-1.2.0.jar"), PROPERTIES);
    assert.equal(art.builds.get("acme/api", "1.2.0").modules.length, 1);
  });

  it("waits for what Artifactory took and does not show yet", async () => {
    const content = await frozen("jar", { "library-1.2.0.jar": await jar({}) });
    const image = { ...(await freezeImage(store)), kind: "image" as const, metadata: METADATA };
    for (const [each, name, path] of [
      [content, named("org.example:library", "1.2.0"), /\/api\/search\/checksum/],
      [image, named("acme/slow", "1.2.0"), /\/api\/storage\/images\/acme\/slow\/1\.2\.0\?list/],
    ] as const) {
      art.fail.push({
        fits: path,
        status: path.source.includes("search") ? 200 : 404,
        body: '{"results":[]}',
        times: 1,
      });
      const behind = await failure(open().publish(each, name, testRun()));
      assert.ok(behind instanceof TransientError);
      assert.deepEqual([behind.code, behind.retryAfter], ["registry-behind", 5_000]);
      await open().publish(each, name, testRun());
    }
    assert.equal(art.builds.get("acme/api", "1.2.0").modules.length, 2);
  });

  for (const [what, body] of [
    ["no checksums", "{}"],
    ["checksums: null", '{"checksums":null}'],
    ["empty checksums", '{"checksums":{"sha1":"","md5":null,"sha256":""}}'],
    ["a SHA-1 alone", '{"checksums":{"sha1":"0123"}}'],
  ] as const) {
    it(`reads the bytes themselves where Artifactory tells ${what} of a file`, async () => {
      const content = await frozen("file", { tool: Buffer.from("a tool without checksums") });
      const name = named("acme/api/unsaid", `1.2.0-${what.length}`);
      await open().publish(content, name, testRun());
      art.fail.push({ fits: /\/api\/storage\/.*\/tool$/, status: 200, body, times: 2 });
      assert.deepEqual(await open().find(name, testRun(), content), { digest: content.digest });
      await open().publish(content, name, testRun());
    });
  }

  it("is asked again where a page comes in its place", async () => {
    const content = await frozen("file", { tool: Buffer.from("a tool behind a page") });
    art.fail.push({ fits: /\/api\/storage\//, status: 200, body: "<!DOCTYPE html><html></html>", times: 1 });
    const behind = await failure(open().publish(content, named("acme/api/page", "1.2.0"), testRun()));
    assert.ok(behind instanceof TransientError);
    assert.equal(behind.code, "registry-unavailable");
  });

  it("leaves to others what they put into the build", async () => {
    const content = await frozen("file", { tool: Buffer.from("a tool") });
    await open().publish(content, named("acme/api/tool", "1.2.0"), testRun());
    const build = art.builds.get("acme/api", "1.2.0");
    const [own] = build.modules;
    assert.ok(own);
    Object.assign(build, { properties: { environment: "kept" }, modules: [{ ...own, id: "theirs" }] });
    await open().publish(content, named("acme/api/tool", "1.2.1"), testRun());
    const merged = art.builds.get("acme/api", "1.2.0");
    assert.deepEqual(
      merged.modules.map(({ id }) => id),
      ["theirs", "acme/api/tool:1.2.0"],
    );
    assert.deepEqual(Reflect.get(merged, "properties"), { environment: "kept" });
  });

  it("is nothing for a moving name", async () => {
    const image = { ...(await freezeImage(store)), kind: "image" as const, metadata: {} };
    await open().publish(image, { ...named("acme/api", "main"), immutable: false }, testRun());
    assert.deepEqual([art.storage.properties.size, art.builds.all.size], [0, 0]);
  });

  it("never overwrites: what Artifactory refuses for want of the right to is a name that is taken", async () => {
    const name = named("acme/api/tool", "1.2.0");
    const [one, two] = [
      await frozen("file", { tool: Buffer.from("1") }),
      await frozen("file", { tool: Buffer.from("2") }),
    ];
    await open().publish(one, name, testRun());
    // Another worker was quicker, after we looked.
    art.fail.push({ fits: /^GET .*\/api\/storage\/files\/acme\/api\/tool\/1\.2\.0\/tool$/, status: 404, times: 1 });
    const taken = await failure(open().publish(two, name, testRun()));
    assert.ok(taken instanceof Refused);
    assert.equal(taken.code, "name-taken");
    art.fail.push({ fits: /^PUT .*\/files\/acme\/api\/other/, status: 409, times: 1 });
    const damaged = await failure(open().publish(one, named("acme/api/other", "1.2.0"), testRun()));
    assert.ok(damaged instanceof TransientError);
    assert.equal(damaged.code, "digest-mismatch");
  });

  it("brings an image and files back, and streams them", async () => {
    const registry = open();
    const image = { ...(await freezeImage(store)), kind: "image" as const, metadata: METADATA };
    const tool = await frozen("file", { tool: Buffer.from("a tool to bring back") });
    for (const [content, name] of [
      [image, named("acme/back", "1.2.0")],
      [tool, named("acme/back/tool", "1.2.0")],
    ] as const) {
      const location = await registry.publish(content, name, testRun());
      assert.deepEqual([location.repository, location.tag], [name.repository, "1.2.0"]);
      const sink = new PassThrough();
      const [bytes] = await Promise.all([buffer(sink), registry.pull(location, sink, testRun(), content)]);
      assert.ok(bytes.length > 0);
      await store.remove(content.digest);
      assert.equal(await registry.restore(location, testRun(), content), true);
      assert.ok(await store.has(content.digest));
    }
  });

  it("is checked in each of its repositories: that it is there, that we may deploy, and nothing is left", async () => {
    await open().check();
    const { docker: _docker, ...files } = REPOSITORIES;
    const bearer = { username: null, password: null, token: art.token };
    await open({ ...bearer, repositories: files }).check();
    assert.deepEqual([art.storage.files.size, art.builds.all.size], [0, 0]);

    const code = async (registry: Registry) => {
      const error = await failure(registry.check());
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(error.message.includes(art.password), false);
      return error.code;
    };
    assert.equal(await code(open({ repositories: { generic: "nowhere" } })), "registry-name-unknown");
    assert.equal(await code(open({ ...bearer, token: "wrong", repositories: files })), "registry-denied");
    art.rights.deploy = false;
    for (const [type, name] of Object.entries(REPOSITORIES)) {
      assert.equal(await code(open({ repositories: { [type]: name } })), "registry-denied", type);
    }
    assert.throws(() => open(bearer), { code: "registry-credentials" });
  });
});
