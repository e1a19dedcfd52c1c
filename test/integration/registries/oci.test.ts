import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readlink } from "node:fs/promises";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { Frozen } from "../../../src/delivery/frozen.ts";
import type { ArtifactName, Digest, Location } from "../../../src/delivery/types.ts";
import { openRegistries } from "../../../src/registries/index.ts";
import { ociRegistry } from "../../../src/registries/oci/registry.ts";
import { RegistryClient } from "../../../src/registries/protocols/oci/client.ts";
import type { ImageRegistry } from "../../../src/registries/protocols/oci/image-registry.ts";
import type { TypedSettings } from "../../../src/settings/type-list.ts";
import { digestOf } from "../../../src/store/digest.ts";
import { Store } from "../../../src/store/store.ts";
import { freezeImage, freezeIndex, freezeLarge } from "../../support/fixtures/images.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type FaultyProxy, startFaultyProxy } from "../../support/network/faulty-proxy.ts";
import { memoryOf } from "../../support/processes/memory.ts";
import { tempDir, until } from "../../support/processes/process.ts";
import { startRegistry, type TestRegistry } from "../../support/registries/docker-registry.ts";
import { skopeo } from "./skopeo.ts";

const servers = [
  { title: "without login", options: {} },
  { title: "with Basic login", options: { auth: "htpasswd" } },
  { title: "with Bearer tokens", options: { auth: "token" } },
  { title: "over TLS with Basic login", options: { auth: "htpasswd", tls: true } },
] as const;

/** Everything a test needs, and one way to be rid of it. */
interface House {
  store: Store;
  server: TestRegistry;
  remove(): Promise<void>;
}

async function startHouse(options: Parameters<typeof startRegistry>[0]): Promise<House> {
  const dir = await tempDir();
  const server = await startRegistry(options);
  return {
    store: new Store(dir.path),
    server,
    async remove() {
      await server.stop();
      await dir.remove();
    },
  };
}

function open({ server, store }: House, url = server.url, password = server.password): ImageRegistry {
  return ociRegistry("local", { url, username: server.username, password, ca: server.ca }, { store });
}

function loginOf({ username, password }: TestRegistry) {
  return { username, password };
}

function named(repository: string, tag: string, immutable = true): ArtifactName {
  return { registry: "local", repository, tag, immutable };
}

async function pulled(registry: ImageRegistry, location: Location): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const tar = extract();
  const sink = new PassThrough();
  sink.pipe(tar);
  const reading = (async () => {
    for await (const entry of tar) files.set(entry.header.name, await buffer(entry));
  })();
  await Promise.all([registry.pull(location, sink, testRun(), location), reading]);
  return files;
}

async function sameAsStore(store: Store, image: Frozen, files: Map<string, Buffer>): Promise<void> {
  const { manifests, blobs } = await store.contentOf(image.digest);
  for (const { digest } of [...manifests, ...blobs]) {
    const bytes = files.get(`blobs/${digest.replace(":", "/")}`);
    assert.ok(bytes, `${digest} is in the tar`);
    assert.equal(`sha256:${createHash("sha256").update(bytes).digest("hex")}`, digest);
  }
  assert.equal(files.size, manifests.length + blobs.length + 2);
  const index = JSON.parse(String(files.get("index.json")));
  assert.equal(index.manifests[0].digest, image.digest);
}

async function largestOf(store: Store, image: Frozen): Promise<Digest> {
  const { blobs } = await store.contentOf(image.digest);
  return blobs.reduce((most, blob) => (blob.size > most.size ? blob : most)).digest;
}

/** Paths of what this process has open. */
async function openFiles(): Promise<string[]> {
  const found = await readdir("/proc/self/fd");
  return Promise.all(found.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
}

for (const { title, options } of servers) {
  describe(`an OCI registry ${title}`, () => {
    let house: House;
    let registry: ImageRegistry;
    before(async () => {
      house = await startHouse(options);
      registry = open(house);
    });
    after(() => house.remove());

    it("finds nothing under a name that nobody wrote", async () => {
      assert.equal(await registry.find(named("acme/nothing", "1.0.0"), testRun()), null);
    });

    it("publishes an image that an independent client reads back with the same digest", async () => {
      const image = await freezeImage(house.store, { family: "docker" });
      const location = await registry.publish(image, named("acme/api", "1.0.0"), testRun());
      assert.deepEqual(location, {
        registry: "local",
        ...{ repository: "acme/api", tag: "1.0.0" },
        digest: image.digest,
        url: `${house.server.url}/v2/acme/api/manifests/${image.digest}`,
        pull: `docker pull ${house.server.host}/acme/api@${image.digest}`,
      });
      assert.deepEqual(await registry.find(named("acme/api", "1.0.0"), testRun()), { digest: image.digest });
      assert.equal(await skopeo.digest(house.server, "acme/api:1.0.0"), image.digest);
      const copy = await skopeo.copy(house.server, `acme/api@${image.digest}`);
      assert.deepEqual(copy.sort(), await digestsOf(house.store, image));
    });

    it("publishes an index with all its images", async () => {
      const images = [
        await freezeImage(house.store, { family: "oci" }),
        await freezeImage(house.store, { family: "oci" }),
      ];
      const index = await freezeIndex(house.store, images);
      await registry.publish(index, named("acme/multi", "1.0.0"), testRun());
      assert.equal(await skopeo.digest(house.server, "acme/multi:1.0.0"), index.digest);
    });

    it("gives back every byte as an OCI layout", async () => {
      const images = [
        await freezeImage(house.store, { family: "oci", layers: [200_000, 3000] }),
        await freezeImage(house.store, { family: "oci" }),
      ];
      for (const content of [...images, await freezeIndex(house.store, images)]) {
        const location = await registry.publish(content, named("acme/pulled", content.digest.slice(7)), testRun());
        await sameAsStore(house.store, content, await pulled(registry, location));
      }
    });

    it("moves a moving name, and never an immutable one", async () => {
      const [first, second] = [await freezeImage(house.store), await freezeImage(house.store)];
      await registry.publish(first, named("acme/names", "main", false), testRun());
      await registry.publish(second, named("acme/names", "main", false), testRun());
      assert.deepEqual(await registry.find(named("acme/names", "main"), testRun()), { digest: second.digest });

      await registry.publish(first, named("acme/names", "1.0.0"), testRun());
      await assert.rejects(registry.publish(second, named("acme/names", "1.0.0"), testRun()), (error) => {
        assert.ok(error instanceof Refused);
        assert.equal(error.code, "name-taken");
        assert.ok(error.message.includes(first.digest) && error.message.includes(second.digest));
        return true;
      });
      assert.deepEqual(await registry.find(named("acme/names", "1.0.0"), testRun()), { digest: first.digest });
    });

    it("passes its check, which leaves no repository behind", async () => {
      await registry.check();
      assert.ok(!(await skopeo.repositories(house.server)).includes("deliverd-check"));
    });
  });
}

describe("publishing to an OCI registry over a faulty network", () => {
  let house: House;
  let proxy: FaultyProxy;
  let registry: ImageRegistry;
  before(async () => {
    house = await startHouse({ auth: "htpasswd" });
    proxy = await startFaultyProxy(house.server.url);
  });
  beforeEach(() => {
    proxy.fault = () => undefined;
    proxy.passed.length = 0;
    registry = open(house, proxy.url);
  });
  after(async () => {
    await proxy.stop();
    await house.remove();
  });
  const sent = () => proxy.passed.filter(({ bytes }) => bytes > 0);

  it("sends nothing again where the name holds the same content", async () => {
    const image = await freezeImage(house.store);
    const first = await registry.publish(image, named("acme/again", "1"), testRun());
    proxy.passed.length = 0;
    assert.deepEqual(await registry.publish(image, named("acme/again", "1"), testRun()), first);
    assert.deepEqual([...new Set(proxy.passed.map(({ method }) => method))], ["HEAD", "GET"], "it only looks");
    assert.deepEqual(sent(), []);
  });

  it("sends only the manifest for a second name", async () => {
    const image = await freezeImage(house.store);
    await registry.publish(image, named("acme/second", "1"), testRun());
    proxy.passed.length = 0;
    await registry.publish(image, named("acme/second", "main", false), testRun());
    assert.deepEqual(
      sent().map(({ url }) => url),
      ["/v2/acme/second/manifests/main"],
    );
  });

  it("sends content ahead of its names, and no name with it", async () => {
    const image = await freezeImage(house.store);
    await registry.upload?.(image, named("acme/ahead", "1"), testRun());
    assert.equal(await registry.find(named("acme/ahead", "1"), testRun()), null);
    proxy.passed.length = 0;
    await registry.publish(image, named("acme/ahead", "1"), testRun());
    assert.deepEqual(
      sent().map(({ url }) => url),
      ["/v2/acme/ahead/manifests/1"],
    );
  });

  it("mounts what another repository of the registry holds", async () => {
    const image = await freezeImage(house.store);
    await registry.publish(image, named("acme/source", "1"), testRun());
    proxy.passed.length = 0;
    const mounting = ociRegistry(
      "local",
      { url: proxy.url, username: house.server.username, password: house.server.password },
      { store: house.store, holderOf: async () => "acme/source" },
    );
    await mounting.publish(image, named("acme/target", "1"), testRun());
    assert.deepEqual(
      sent().map(({ url }) => url),
      ["/v2/acme/target/manifests/1"],
    );
  });

  it("logs once what is there already, however often a delivery sends its content", async () => {
    const image = await freezeImage(house.store);
    await registry.publish(image, named("acme/repeats", "1"), testRun());
    const other = ociRegistry("local", { url: house.server.url, ...loginOf(house.server) }, { store: house.store });
    const texts: string[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const run = testRun();
      await other.upload(image, named("acme/repeats", "1"), run);
      texts.push(run.text());
    }
    const { blobs } = await house.store.contentOf(image.digest);
    assert.equal(texts[0]?.match(/is there already$/gm)?.length, blobs.length);
    assert.deepEqual(texts.slice(1), ["", ""]);
  });

  it("tells the progress of a blob in the run's log, at most once a second", async () => {
    const image = await freezeImage(house.store, { layers: [6_000_000] });
    const run = testRun();
    let now = 0;
    run.clock = { now: () => (now += 400) };
    await registry.publish(image, named("acme/progress", "1"), run);
    assert.match(run.text(), /^local acme\/progress: pushing sha256:[0-9a-f]{12}… \d\.\d of 6\.0 MB$/m);
    const told = run.text().match(/ of 6\.0 MB$/gm)?.length ?? 0;
    const chunks = 6_000_000 / 65_536;
    assert.ok(told > 2 && told <= chunks / 2, `${told} lines`);
  });

  it("goes on where a cut connection ended: the second call sends only what is missing", async () => {
    const image = await freezeImage(house.store, { layers: [50_000, 60_000, 3_000_000] });
    proxy.fault = ({ method, headers }) =>
      method === "PUT" && Number(headers["content-length"]) > 1_000_000 ? { cutAfter: 500_000 } : undefined;
    const run = testRun();
    await assert.rejects(registry.publish(image, named("acme/cut", "1"), run), (error) => {
      assert.ok(error instanceof TransientError);
      assert.equal(error.code, "registry-unreachable");
      return true;
    });
    assert.match(run.text(), /was cut off: starting again/);
    proxy.fault = () => undefined;
    proxy.passed.length = 0;
    await registry.publish(image, named("acme/cut", "1"), testRun());
    assert.equal(sent().length, 2, "the large blob and the manifest");
    assert.equal(await skopeo.digest(house.server, "acme/cut:1"), image.digest);
  });

  it("leaves no file of the store open where it was cut off", async () => {
    const image = await freezeImage(house.store, { layers: [3_000_000] });
    proxy.fault = ({ headers }) => (Number(headers["content-length"]) > 1_000_000 ? { cutAfter: 500_000 } : undefined);
    await assert.rejects(registry.publish(image, named("acme/closed", "1"), testRun()), TransientError);
    const layer = await largestOf(house.store, image);
    await until(
      "the layer is closed",
      async () => !(await openFiles()).some((path) => path !== "" && path.endsWith(layer.slice("sha256:".length))),
    );
  });

  it("says that content is gone where it goes between a look and its sending", async () => {
    const image = await freezeImage(house.store, { layers: [2_000_000] });
    const layer = await largestOf(house.store, image);
    proxy.fault = ({ method }) => (method === "POST" ? { after: house.store.remove(layer) } : undefined);
    await assert.rejects(registry.publish(image, named("acme/gone-meanwhile", "1"), testRun()), (error) => {
      assert.ok(error instanceof TransientError);
      assert.equal(error.code, "content-gone");
      return true;
    });
  });

  it("mends a connection that is cut once by itself", async () => {
    const image = await freezeImage(house.store, { layers: [2_000_000] });
    let cuts = 0;
    proxy.fault = ({ headers }) =>
      Number(headers["content-length"]) > 1_000_000 && cuts++ === 0 ? { cutAfter: 500_000 } : undefined;
    await registry.publish(image, named("acme/cut-once", "1"), testRun());
    assert.equal(cuts, 2);
  });

  it("takes a blob as sent whose answer was lost", async () => {
    const image = await freezeImage(house.store, { layers: [2_000_000] });
    let lost = 0;
    proxy.fault = ({ headers }) =>
      Number(headers["content-length"]) > 1_000_000 && lost++ === 0 ? { loseAnswer: true } : undefined;
    await registry.publish(image, named("acme/lost", "1"), testRun());
    assert.equal(lost, 1, "it was not sent a second time");
  });

  it("takes a name as written whose answer was lost, at the next call", async () => {
    const image = await freezeImage(house.store);
    proxy.fault = ({ url }) => (url.endsWith("/manifests/1") ? { loseAnswer: true } : undefined);
    await assert.rejects(registry.publish(image, named("acme/lost-name", "1"), testRun()), TransientError);
    proxy.fault = () => undefined;
    assert.equal((await registry.publish(image, named("acme/lost-name", "1"), testRun())).digest, image.digest);
  });

  it("waits as long as a 429 says", async () => {
    proxy.fault = () => ({
      status: 429,
      headers: { "Retry-After": "7" },
      body: '{"errors":[{"code":"TOOMANYREQUESTS"}]}',
    });
    await assert.rejects(registry.find(named("acme/api", "1"), testRun()), {
      name: "TransientError",
      code: "registry-limited",
      retryAfter: 7000,
    });
  });

  it("reads a Retry-After that is a date", async () => {
    const date = new Date(Date.now() + 60_000).toUTCString();
    proxy.fault = () => ({ status: 503, headers: { "Retry-After": date } });
    await assert.rejects(registry.find(named("acme/api", "1"), testRun()), (error) => {
      assert.ok(error instanceof TransientError);
      assert.equal(error.code, "registry-unavailable");
      assert.ok(error.retryAfter !== null && error.retryAfter > 55_000 && error.retryAfter <= 60_000);
      return true;
    });
  });

  it("computes the digest from the bytes where the header is missing", async () => {
    const image = await freezeImage(house.store);
    proxy.fault = () => ({ hide: ["docker-content-digest"] });
    await registry.publish(image, named("acme/headless", "1"), testRun());
    assert.deepEqual(await registry.find(named("acme/headless", "1"), testRun()), { digest: image.digest });
  });

  it("stops at once when the run is aborted, with the run's own reason", async () => {
    proxy.fault = () => ({ hang: true });
    const stop = new AbortController();
    const finding = registry.find(named("acme/api", "1"), testRun(stop.signal));
    stop.abort(new Error("cancelled by a person"));
    await assert.rejects(finding, { message: "cancelled by a person" });
  });

  it("gives up where no byte moves, in asking and in sending", async () => {
    const { username, password } = house.server;
    const client = new RegistryClient({
      key: "local",
      url: new URL(proxy.url),
      credentials: { username, password },
      idleTimeout: 300,
    });
    const { signal } = new AbortController();
    const bytes = Buffer.alloc(5_000_000);
    proxy.fault = () => ({ hang: true });
    for (const attempt of [
      () => client.lookUp("acme/api", "1", signal),
      () =>
        client.uploads.put(
          "acme/api",
          digestOf(bytes),
          { length: bytes.length, open: () => Readable.from([bytes]) },
          signal,
          null,
        ),
    ]) {
      await assert.rejects(attempt(), { code: "registry-unreachable", message: /no byte moved/ });
    }
    proxy.fault = ({ method }) => (method === "PUT" ? { hang: true } : undefined);
    const body = { length: bytes.length, open: () => Readable.from([bytes]) };
    await assert.rejects(client.uploads.put("acme/api", digestOf(bytes), body, signal, null), {
      message: /no byte moved/,
    });
  });

  it("sends a layer of 300 MB and reads it back without holding it in memory", async function () {
    this.timeout(120_000);
    const image = await freezeLarge(house.store, 300_000_000);
    const started = Date.now();
    const grown = await memoryOf(async () => {
      const location = await registry.publish(image, named("acme/large", "1"), testRun());
      if (process.env.MEASURE) console.log(`      pushed in ${Date.now() - started} ms`);
      const sink = new PassThrough();
      sink.resume();
      await registry.pull(location, sink, testRun(), image);
    });
    if (process.env.MEASURE)
      console.log(`      and pulled in ${Date.now() - started} ms, RSS grew by ${grown.toFixed(0)} MB`);
    assert.ok(grown < 150, `RSS grew by ${grown.toFixed(0)} MB`);
  });

  it("destroys the sink when a blob's bytes are not the ones named", async () => {
    const image = await freezeImage(house.store);
    const location = await registry.publish(image, named("acme/forged", "1"), testRun());
    const [config] = (await house.store.contentOf(image.digest)).blobs;
    const size = config?.size ?? 0;
    for (const [length, code] of [
      [size, "content-differs"],
      [size + 1, "content-differs"],
      [size - 1, "registry-unreachable"],
    ] as const) {
      proxy.fault = ({ method, url }) =>
        method === "GET" && url.includes("/blobs/") ? { status: 200, body: "x".repeat(length) } : undefined;
      const sink = new PassThrough();
      sink.resume();
      const failed = new Promise((resolve) => sink.once("error", resolve));
      await assert.rejects(registry.pull(location, sink, testRun(), image), { code });
      await failed;
      assert.ok(sink.destroyed && !sink.readableEnded);
    }
  });

  it("refuses to pull a digest that is gone", async () => {
    const gone = { digest: `sha256:${"0".repeat(64)}` };
    await assert.rejects(registry.pull(named("acme/gone", "1"), new PassThrough(), testRun(), gone), {
      name: "Refused",
      code: "content-gone",
    });
  });

  it("refuses names that are no names, before anything is asked", async () => {
    for (const repository of [
      "../etc",
      "Acme/API",
      "acme//api",
      "acme/api?x=1",
      "a/../../v2",
      "",
      "acme/%2e%2e",
      "x".repeat(300),
    ]) {
      await assert.rejects(registry.find(named(repository, "1"), testRun()), { code: "name-invalid" });
    }
    for (const tag of ["", "a/b", ".hidden", "x y", "x".repeat(129), "sha256:abc", "1?x"]) {
      await assert.rejects(registry.find(named("acme/api", tag), testRun()), { code: "name-invalid" });
    }
    assert.deepEqual(proxy.passed, []);
  });
});

describe("an OCI registry that refuses a push", () => {
  let house: House;
  before(async () => {
    house = await startHouse({ auth: "htpasswd" });
  });
  after(() => house.remove());

  it("is a refusal that names registry and repository, and never the password", async () => {
    const registry = open(house, house.server.url, "wrong-canary-password");
    const image = await freezeImage(house.store);
    for (const attempt of [
      () => registry.find(named("acme/api", "1"), testRun()),
      () => registry.publish(image, named("acme/api", "1"), testRun()),
    ]) {
      await assert.rejects(attempt(), (error) => {
        assert.ok(error instanceof Refused);
        assert.equal(error.code, "registry-denied");
        assert.match(error.message, /registry local \(127\.0\.0\.1:\d+\), repository acme\/api answered 401/);
        assert.ok(!JSON.stringify(error, Object.getOwnPropertyNames(error)).includes("wrong-canary-password"));
        return true;
      });
    }
  });

  it("fails its check, and names the key of the configuration", async () => {
    const registry = open(house, house.server.url, "wrong");
    await assert.rejects(registry.check(), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /^registries\.local: /);
      return true;
    });
  });

  it("that is unreachable is a transient error", async () => {
    const registry = ociRegistry("local", { url: "http://127.0.0.1:1" }, { store: house.store });
    await assert.rejects(registry.check(), { name: "TransientError", code: "registry-unreachable" });
  });
});

describe("a registry with an untrusted certificate", () => {
  let house: House;
  before(async () => {
    house = await startHouse({ tls: true });
  });
  after(() => house.remove());

  it("is refused with the remedy (registry-tls)", async () => {
    const registry = ociRegistry("local", { url: house.server.url }, { store: house.store });
    await assert.rejects(registry.find(named("acme/api", "1"), testRun()), {
      name: "Refused",
      code: "registry-tls",
      message: /NODE_EXTRA_CA_CERTS/,
    });
  });

  it("is refused also when the url says http", async () => {
    const registry = ociRegistry("local", { url: house.server.url.replace("https", "http") }, { store: house.store });
    await assert.rejects(registry.find(named("acme/api", "1"), testRun()), { name: "Refused" });
  });
});

describe("opening the registries of a configuration", () => {
  const store = new Store("/nonexistent");

  it("opens every registry under its key without a request", async () => {
    const opened = await openRegistries(
      {
        local: { type: "oci", url: "http://127.0.0.1:1" },
        hub: { type: "docker-hub", username: "acme", password: "x" },
      },
      { store },
    );
    assert.deepEqual([...opened.keys()], ["local", "hub"]);
  });

  it("accepts the entries of the server's configuration", async () => {
    const entry: TypedSettings = {
      type: "oci",
      url: "http://127.0.0.1:1",
      username: null,
      password: null,
      ca: null,
      checkRepository: null,
      default: true,
      shared: [],
    };
    const opened = await openRegistries({ local: entry }, { store });
    await assert.rejects(opened.get("local")?.check() ?? Promise.resolve(), { code: "registry-unreachable" });
  });

  it("refuses a url with a path, a user or another scheme, and never repeats it", async () => {
    for (const url of ["https://host/acme", "https://ci:canary@host", "ftp://host", "host:5000", "https://host?x"]) {
      await assert.rejects(openRegistries({ local: { type: "oci", url } }, { store }), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.code, "registry-url");
        assert.ok(!error.message.includes("canary"));
        return true;
      });
    }
  });

  it("refuses a username without a password", async () => {
    await assert.rejects(openRegistries({ hub: { type: "docker-hub", username: "acme" } }, { store }), {
      code: "registry-credentials",
    });
  });
});

async function digestsOf(store: Store, image: Frozen): Promise<string[]> {
  const { blobs } = await store.contentOf(image.digest);
  return blobs.map(({ digest }) => digest.slice("sha256:".length)).sort();
}
