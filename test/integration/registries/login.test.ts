import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { dockerHubRegistry } from "../../../src/registries/docker-hub/registry.ts";
import { ociRegistry } from "../../../src/registries/oci/registry.ts";
import type { ImageRegistry } from "../../../src/registries/protocols/oci/image-registry.ts";
import { Store } from "../../../src/store/store.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type FaultyProxy, startFaultyProxy } from "../../support/network/faulty-proxy.ts";
import { tempDir } from "../../support/processes/process.ts";
import { startRegistry, type TestRegistry } from "../../support/registries/docker-registry.ts";
import type { TokenServer } from "../../support/registries/token-server.ts";

function named(repository: string): ArtifactName {
  return { registry: "hub", repository, tag: "1", immutable: true };
}

describe("The token login of a registry", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let store: Store;
  let server: TestRegistry;
  let tokens: TokenServer;
  let proxy: FaultyProxy;
  let registry: ImageRegistry;
  before(async () => {
    dir = await tempDir();
    store = new Store(dir.path);
    server = await startRegistry({ auth: "token" });
    if (!server.tokens) throw new Error("no token server");
    tokens = server.tokens;
    proxy = await startFaultyProxy(server.url);
  });
  beforeEach(() => {
    tokens.rules = { life: 300, told: 300, actions: ["pull", "push"] };
    tokens.given = [];
    tokens.refused = 0;
    proxy.fault = () => undefined;
    proxy.passed.length = 0;
    registry = open();
  });
  after(async () => {
    await proxy.stop();
    await server.stop();
    await dir.remove();
  });
  const open = (password = server.password) =>
    dockerHubRegistry("hub", { url: proxy.url, username: server.username, password }, { store });
  const answered401 = () => proxy.passed.filter(({ status }) => status === 401).length;

  it("fetches one token with the rights of a publication, however many blobs there are", async () => {
    const image = await freezeImage(store, { layers: [1, 2, 3, 4, 5] });
    const { pull } = await registry.publish(image, named("acme/tokens"), testRun());
    assert.equal(
      pull,
      `docker pull ${new URL(proxy.url).host}/acme/tokens@${image.digest}`,
      "from what stands in for it",
    );
    assert.deepEqual(tokens.given, [["repository:acme/tokens:pull,push"]]);
    assert.equal(answered401(), 1, "only the first request came without one");
  });

  it("renews a token shortly before its end", async () => {
    tokens.rules = { life: 3, told: 2, actions: ["pull", "push"] };
    proxy.fault = ({ method }) => (method === "POST" ? { delay: 1700 } : undefined);
    await registry.publish(await freezeImage(store, { layers: [] }), named("acme/short"), testRun());
    assert.equal(answered401(), 1);
    assert.ok(tokens.given.length > 1);
  });

  it("renews a token that expires in the middle of a push, earlier than announced", async () => {
    tokens.rules = { life: 3, told: 300, actions: ["pull", "push"] };
    let slow = 0;
    proxy.fault = ({ method, url }) =>
      method === "PUT" && url.includes("/uploads/") && slow++ === 0 ? { delay: 4500 } : undefined;
    const image = await freezeImage(store, { layers: [3_000_000] });
    const location = await registry.publish(image, named("acme/expired"), testRun());
    assert.equal(location.digest, image.digest);
    assert.ok(answered401() >= 2, "the registry did refuse the old token");
  });

  it("is refused with the name of the repository if the token does not grant the push", async () => {
    tokens.rules.actions = ["pull"];
    await assert.rejects(registry.publish(await freezeImage(store), named("acme/readonly"), testRun()), {
      name: "Refused",
      code: "registry-denied",
      message: /repository acme\/readonly answered 401 .*may push and pull acme\/readonly/,
    });
  });

  it("fails the check if the token does not grant the push, and names the repository that was tried", async () => {
    tokens.rules.actions = ["pull"];
    const { username, password } = server;
    const oci = ociRegistry("local", { url: proxy.url, username, password, checkRepository: "acme/api" }, { store });
    await assert.rejects(oci.check(), { name: "ConfigError", message: /registries\.local: .*acme\/api/ });
  });

  it("only logs in to Docker Hub for a check, since a push there would create a repository", async () => {
    await registry.check();
    assert.deepEqual(
      proxy.passed.map(({ method, url }) => `${method} ${url}`),
      ["GET /v2/", "GET /v2/"],
    );
    assert.deepEqual(tokens.given, [[]]);
  });

  it("is refused after a wrong password, which is sent only once for each request", async () => {
    await assert.rejects(open("wrong-canary").find(named("acme/api"), testRun()), (error: Error) => {
      assert.match(error.message, /log in.*Check username and password/);
      assert.ok(!error.message.includes("wrong-canary"));
      return error.name === "Refused";
    });
    assert.equal(tokens.refused, 1);
  });

  it("never sends the password without TLS to a realm on another host", async () => {
    for (const realm of [
      "http://tokens.example.com/token",
      "http://127.0.0.1.example.com/t",
      "ftp://127.0.0.1/t",
      "file:///etc/passwd",
      "nonsense",
      "http://ci@127.0.0.1/",
    ]) {
      proxy.fault = () => ({
        status: 401,
        headers: { "WWW-Authenticate": `Bearer realm="${realm}",service="registry"` },
      });
      await assert.rejects(registry.find(named("acme/api"), testRun()), { name: "Refused", code: "registry-realm" });
    }
    assert.ok(proxy.passed.every(({ headers }) => headers.authorization === undefined));
  });

  it("sends no login to a storage that an upload or a download is redirected to", async () => {
    const other = await startFaultyProxy("http://127.0.0.1:1");
    try {
      const image = await freezeImage(store, { layers: [10] });
      const location = await registry.publish(image, named("acme/elsewhere"), testRun());
      other.fault = ({ method }) => (method === "GET" ? { status: 200, body: "x" } : { status: 201 });
      proxy.fault = ({ method, url }) => {
        if (method === "GET" && url.includes("/blobs/")) {
          return { status: 307, headers: { Location: `${other.url}/storage?signed=canary` } };
        }
        return method === "POST" ? { status: 202, headers: { Location: `${other.url}/upload?id=1` } } : undefined;
      };
      await assert.rejects(registry.pull(location, new PassThrough().resume(), testRun(), image), (error: Error) => {
        assert.ok(!error.message.includes("canary"), "the signature of the address is a secret too");
        return true;
      });
      const sent = await freezeImage(store, { layers: [10] });
      await assert.rejects(registry.publish(sent, named("acme/elsewhere-2"), testRun()));
      assert.ok(other.passed.some(({ method }) => method === "GET"));
      assert.ok(
        other.passed.some(({ method, url }) => method === "PUT" && url.startsWith("/upload?id=1&digest=sha256")),
      );
      assert.ok(other.passed.every(({ headers }) => headers.authorization === undefined));
    } finally {
      await other.stop();
    }
  });

  it("follows no redirect to another host for what a name holds: that host could be any internal server", async () => {
    const other = await startFaultyProxy("http://127.0.0.1:1");
    try {
      proxy.fault = ({ url }) =>
        url.includes("/manifests/") || url === "/v2/"
          ? { status: 307, headers: { Location: `${other.url}/latest/meta-data/` } }
          : undefined;
      await assert.rejects(registry.find(named("acme/api"), testRun()), { name: "Refused", code: "registry-redirect" });
      await assert.rejects(registry.publish(await freezeImage(store), named("acme/sent-on"), testRun()), {
        code: "registry-redirect",
      });
      assert.deepEqual(other.passed, []);
    } finally {
      await other.stop();
    }
  });

  it("follows no redirect of a request that writes", async () => {
    proxy.fault = ({ method }) =>
      method === "POST" ? { status: 307, headers: { Location: "http://127.0.0.1:1/" } } : undefined;
    await assert.rejects(registry.publish(await freezeImage(store), named("acme/redirected"), testRun()), {
      name: "Refused",
      code: "registry-refused",
    });
  });

  it("stops after five redirects", async () => {
    proxy.fault = ({ url }) => ({ status: 302, headers: { Location: url } });
    await assert.rejects(registry.find(named("acme/api"), testRun()), { code: "registry-unavailable" });
    assert.equal(proxy.passed.length, 6);
  });
});
