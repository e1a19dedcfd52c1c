import assert from "node:assert/strict";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { httpRegistry } from "../../../src/registries/http/registry.ts";
import { pypiRegistry } from "../../../src/registries/pypi/registry.ts";
import { Store } from "../../../src/store/store.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { freeze, wheel } from "../../support/fixtures/packages.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type Fault, type FaultyProxy, startFaultyProxy } from "../../support/network/faulty-proxy.ts";
import { tempDir } from "../../support/processes/process.ts";
import { startNginx } from "../../support/registries/files/nginx.ts";
import { type PypiStandIn, startPypi } from "../../support/registries/files/pypi.ts";
import { type FileServer, TOKEN } from "../../support/registries/files/server.ts";
import { useScriptedOci } from "../../support/registries/scripted-oci.ts";
import { type Asked, error } from "../../support/registries/scripted-registry.ts";

/** How registries say that they have a file already, and what others than those of this list may say. */
const refusals: Record<string, Fault> = {
  "GitLab's words": { status: 400, body: '{"message":"Validation failed: File name has already been taken"}' },
  "Warehouse's words": { status: 400, body: "400 File already exists. See /help/#file-name-reuse" },
  "Artifactory's words": { status: 403, body: "Not enough permissions to overwrite artifact 'a.whl'" },
  "Nexus' words": { status: 400, body: "Repository does not allow updating assets: pypi" },
  "a bare 409": { status: 409 },
  "a bare 422": { status: 422 },
  "a bare 403": { status: 403 },
  "words of no language that we know": { status: 400, body: "Datei vorhanden" },
  "a page": { status: 400, headers: { "Content-Type": "text/html" }, body: "<html>Bad Request</html>" },
};

describe("a file that the registry refuses because it exists", () => {
  const name: ArtifactName = { registry: "pypi", repository: "acme-hello", tag: "1.0.0", immutable: true };
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let store: Store;
  let server: PypiStandIn;
  let proxy: FaultyProxy;
  before(async () => {
    dir = await tempDir();
    store = new Store(dir.path);
  });
  beforeEach(async () => {
    server = await startPypi();
    proxy = await startFaultyProxy(new URL(server.url).origin);
  });
  afterEach(async () => {
    await proxy.stop();
    await server.stop();
  });
  after(() => dir.remove());
  /** One that knows of no other: as after a crash. */
  const open = () => {
    const at = (url: string) => url.replace(new URL(server.url).origin, proxy.url);
    return pypiRegistry("pypi", { url: at(server.url), index: at(server.index), token: TOKEN }, { store });
  };
  const content = async (salt = "") =>
    freeze(store, { "acme_hello-1.0.0-py3-none-any.whl": await wheel("Acme.Hello", "1.0.0", salt) }, "wheel");
  const refuse = (fault: Fault) => {
    proxy.fault = ({ method }) => (method === "POST" ? fault : undefined);
  };

  for (const [words, fault] of Object.entries(refusals)) {
    it(`in ${words} is there where its bytes come to be seen, whoever sent them`, async () => {
      await open().publish(await content(), name, testRun());
      refuse(fault);
      for (const lag of [1, 3]) {
        server.lag = lag;
        assert.equal((await open().publish(await content(), name, testRun())).digest, (await content()).digest);
      }
    });

    it(`in ${words} is taken where other bytes come to be seen`, async () => {
      await open().publish(await content("other"), name, testRun());
      refuse(fault);
      server.lag = 2;
      await assert.rejects(open().publish(await content(), name, testRun()), { name: "Refused", code: "name-taken" });
    });
  }

  it("is waited for where it was answered 201 and the index shows nothing, and is not sent again", async () => {
    const registry = open();
    server.lag = 100;
    await assert.rejects(registry.publish(await content(), name, testRun()), { code: "registry-behind" });
    refuse(refusals["words of no language that we know"] ?? {});
    await assert.rejects(registry.publish(await content(), name, testRun()), { code: "registry-behind" });
    assert.equal(proxy.passed.filter(({ method }) => method === "POST").length, 1);
    server.lag = 0;
    await registry.publish(await content(), name, testRun());
  });

  it("is waited for where the answer was lost, the index shows nothing, and the second sending is refused", async () => {
    const registry = open();
    server.lag = 100;
    proxy.fault = ({ method }) => (method === "POST" ? { loseAnswer: true } : undefined);
    await assert.rejects(registry.publish(await content(), name, testRun()), { code: "registry-unreachable" });
    refuse(refusals["words of no language that we know"] ?? {});
    await assert.rejects(registry.publish(await content(), name, testRun()), { code: "registry-behind" });
  });

  it("is waited for after a crash too where the refusal claims that it is there", async () => {
    server.lag = 100;
    refuse(refusals["GitLab's words"] ?? {});
    await assert.rejects(open().publish(await content(), name, testRun()), (failure) => {
      assert.ok(failure instanceof TransientError);
      assert.equal(failure.code, "registry-behind");
      return true;
    });
  });

  it("is refused for good where nothing is there and nothing claims it", async () => {
    refuse({ status: 400, body: "Invalid value for metadata_version." });
    await assert.rejects(open().publish(await content(), name, testRun()), (failure) => {
      assert.ok(failure instanceof Refused);
      assert.match(failure.message, /answered 400.*Invalid value for metadata_version/);
      return true;
    });
  });

  it("is not there where the index lists it and its storage has lost it", async () => {
    const registry = open();
    await registry.publish(await content(), name, testRun());
    assert.deepEqual(await registry.find(name, testRun(), await content()), { digest: (await content()).digest });
    proxy.fault = ({ url }) => (url.includes(".whl") ? { status: 404 } : undefined);
    assert.equal(await registry.find(name, testRun(), await content()), null);
  });
});

describe("metadata files that the registry refuses because they exist", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let server: FileServer;
  let proxy: FaultyProxy;
  before(async () => {
    dir = await tempDir();
    server = await startNginx("bearer");
    proxy = await startFaultyProxy(server.url);
  });
  after(async () => {
    await proxy.stop();
    await server.stop();
    await dir.remove();
  });

  it("are there where they come to be seen", async () => {
    const store = new Store(dir.path);
    const registry = () => httpRegistry("files", { url: proxy.url, token: TOKEN }, { store });
    const name = { registry: "files", repository: "acme/tool", tag: "1.0.0", immutable: true };
    const content = await freeze(store, { "tool.txt": Buffer.from("tool") }, "file");
    await registry().publish(content, name, testRun());
    let hidden = 4;
    proxy.fault = ({ method, url }) => {
      if (method === "PUT") return { status: 403, body: "no redeployment" };
      return url.endsWith("/deliverd.json") && hidden-- > 0 ? { status: 404 } : undefined;
    };
    assert.equal((await registry().publish(content, name, testRun())).digest, content.digest);
  });
});

describe("a tag that the registry refuses because it exists", () => {
  const name: ArtifactName = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };
  const isPut = ({ method, path }: Asked) => method === "PUT" && path.endsWith("/manifests/1.0.0");
  const isLook = ({ method, path }: Asked) => method === "HEAD" && path.endsWith("/manifests/1.0.0");
  const oci = useScriptedOci();
  /** Refuses what it has, and does not show it for so many looks. */
  const behind = (looks: number, status: number, code: string) => {
    let left = looks;
    oci.server.quirk = (asked, act) => {
      if (isLook(asked) && oci.server.manifests.has("acme/a:1.0.0") && left-- > 0)
        return error(404, "MANIFEST_UNKNOWN");
      return isPut(asked) && oci.server.manifests.has("acme/a:1.0.0") ? error(status, code) : act();
    };
  };

  for (const [status, code] of [
    [400, "TAG_INVALID"],
    [403, "DENIED"],
    [409, "CONFLICT"],
    [412, "PRECONDITION"],
    [422, "MANIFEST_INVALID"],
  ] as const) {
    it(`with ${status} is there where its digest comes to be seen, and taken where another's does`, async () => {
      const [image, other] = [await freezeImage(oci.store), await freezeImage(oci.store)];
      await oci.open().publish(image, name, testRun());
      behind(3, status, code);
      assert.equal((await oci.open().publish(image, name, testRun())).digest, image.digest);
      behind(3, status, code);
      await assert.rejects(oci.open().publish(other, name, testRun()), { name: "Refused", code: "name-taken" });
    });
  }

  it("is waited for where it was answered 201 a moment ago and is not shown", async () => {
    const [registry, image] = [oci.open(), await freezeImage(oci.store)];
    behind(100, 400, "UNSPEAKABLE");
    await assert.rejects(registry.publish(image, name, testRun()), {
      name: "TransientError",
      code: "read-back-differs",
    });
    await assert.rejects(registry.publish(image, name, testRun()), {
      name: "TransientError",
      code: "read-back-differs",
    });
  });

  it("is refused where nothing stands there", async () => {
    oci.server.quirk = (asked, act) => (isPut(asked) ? error(400, "MANIFEST_INVALID", "no such media type") : act());
    await assert.rejects(oci.open().publish(await freezeImage(oci.store), name, testRun()), {
      code: "registry-refused",
      message: /MANIFEST_INVALID/,
    });
  });
});
