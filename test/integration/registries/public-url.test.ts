import assert from "node:assert/strict";
import type { Digest } from "../../../src/delivery/types.ts";
import { ArtifactoryApi } from "../../../src/registries/artifactory/api.ts";
import { GenericShelf } from "../../../src/registries/artifactory/generic.ts";
import { registryTypes } from "../../../src/registries/index.ts";
import { ociRegistry } from "../../../src/registries/oci/registry.ts";
import { HttpShelf } from "../../../src/registries/protocols/files/http-shelf.ts";
import type { Shelf } from "../../../src/registries/protocols/files/shelf.ts";
import { MavenShelf } from "../../../src/registries/protocols/maven/shelf.ts";
import { NpmShelf } from "../../../src/registries/protocols/npm/shelf.ts";
import { PypiShelf } from "../../../src/registries/protocols/pypi/shelf.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { useScriptedOci } from "../../support/registries/scripted-oci.ts";

const digest: Digest = `sha256:${"a".repeat(64)}`;
const shown = "https://files.example.com/shown";
const endpoint = {
  label: "registry files",
  url: new URL("http://files:8081/internal/"),
  publicUrl: new URL(`${shown}/`),
  authorize: async () => null,
};

interface Told {
  of: string;
  shelf: Shelf;
  repository: string;
  file: string;
  url: string;
  pull: string;
}

/** What each protocol of files tells people of the version 1.2.3. */
const FILES: Told[] = [
  {
    of: "files",
    shelf: new HttpShelf(endpoint),
    ...{ repository: "acme/api/tool", file: "tool.bin" },
    url: `${shown}/acme/api/tool/1.2.3/tool.bin`,
    pull: `curl -fLO ${shown}/acme/api/tool/1.2.3/tool.bin`,
  },
  {
    of: "npm packages",
    shelf: new NpmShelf(endpoint),
    ...{ repository: "@acme/client", file: "acme-client-1.2.3.tgz" },
    url: `${shown}/@acme%2fclient/1.2.3`,
    pull: `npm pack @acme/client@1.2.3 --registry=${shown}/`,
  },
  {
    of: "Python packages",
    shelf: new PypiShelf({ ...endpoint, index: new URL("http://files:8081/simple") }),
    ...{ repository: "acme-client", file: "acme_client-1.2.3-py3-none-any.whl" },
    url: `${shown}/acme-client/`,
    pull: `pip download --no-deps --index-url ${shown}/ acme-client==1.2.3`,
  },
  {
    of: "Maven artifacts",
    shelf: new MavenShelf(endpoint),
    ...{ repository: "org.acme:api", file: "api-1.2.3.jar" },
    url: `${shown}/org/acme/api/1.2.3/api-1.2.3.jar`,
    pull: `mvn dependency:get -Dtransitive=false -DremoteRepositories=${shown}/ -Dartifact=org.acme:api:1.2.3`,
  },
  {
    of: "files in Artifactory",
    shelf: new GenericShelf(new ArtifactoryApi(endpoint), "files-local"),
    ...{ repository: "acme/api/tool", file: "tool.bin" },
    url: `${shown}/files-local/acme/api/tool/1.2.3/tool.bin`,
    pull: `curl -fLO -u <user>:<token> ${shown}/files-local/acme/api/tool/1.2.3/tool.bin`,
  },
];

describe("publicUrl of a registry", () => {
  const oci = useScriptedOci();

  for (const { of, shelf, repository, file, url, pull } of FILES) {
    it(`is what people are told of ${of}, in the link and in the command`, () => {
      const name = { registry: "files", repository, tag: "1.2.3" };
      const files = [{ name: file, digest, size: 1 }];
      assert.deepEqual(shelf.locate({ name, content: { digest, size: 1, mediaType: "x", files }, files }), {
        url,
        pull,
      });
    });
  }

  it("is what people are told of an image, while deliverd publishes to url", async () => {
    const content = await freezeImage(oci.store);
    const config = { url: oci.server.url, publicUrl: "https://registry.example.com" };
    const name = { registry: "local", repository: "acme/api", tag: "1.2.3", immutable: true };

    const location = await ociRegistry("local", config, { store: oci.store }).publish(content, name, testRun());

    assert.deepEqual(location, {
      ...{ registry: "local", repository: "acme/api", tag: "1.2.3", digest: content.digest },
      url: `https://registry.example.com/v2/acme/api/manifests/${content.digest}`,
      pull: `docker pull registry.example.com/acme/api@${content.digest}`,
    });
  });

  it("puts its path before an image's name, as a mirror of several registries has it", async () => {
    const content = await freezeImage(oci.store);
    const config = { url: oci.server.url, publicUrl: "https://mirror.example.com/deliverd/" };
    const name = { registry: "local", repository: "acme/api", tag: "1.2.3", immutable: true };

    const { url, pull } = await ociRegistry("local", config, { store: oci.store }).publish(content, name, testRun());

    assert.equal(url, `https://mirror.example.com/v2/deliverd/acme/api/manifests/${content.digest}`);
    assert.equal(pull, `docker pull mirror.example.com/deliverd/acme/api@${content.digest}`);
  });

  it("is a key of every type, and a URL without credentials", () => {
    for (const { type, schema } of registryTypes.all) {
      const told = JSON.stringify(schema.safeParse({ type, publicUrl: "https://u:canary@x" }).error?.issues);
      assert.match(told, /"publicUrl"/, type);
      assert.ok(!told.includes("canary"), type);
    }
  });

  it("names the registry to the engine: a base image under it is pulled with the registry's login", () => {
    const login = { username: "u", password: "p" };
    const settings = { type: "oci", url: "http://registry:5000", publicUrl: "https://registry.example.com", ...login };
    const loginFor = (host: string) => registryTypes.of(settings).baseImageLogin?.(settings, host);
    assert.deepEqual(["registry:5000", "registry.example.com", "example.com"].map(loginFor), [login, login, null]);
  });
});
