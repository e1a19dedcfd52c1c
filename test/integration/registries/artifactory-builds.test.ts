import assert from "node:assert/strict";
import { KeyedMutex } from "../../../src/async/keyed-mutex.ts";
import { basicAuth } from "../../../src/http/login.ts";
import { ArtifactoryApi } from "../../../src/registries/artifactory/api.ts";
import { buildFacts } from "../../../src/registries/artifactory/build-facts.ts";
import { addToBuild, moduleOf } from "../../../src/registries/artifactory/build-info.ts";
import { type ArtifactoryStandIn, startArtifactory } from "../../support/registries/artifactory/server.ts";

const METADATA = {
  "org.opencontainers.image.revision": "ab12cd3".padEnd(40, "0"),
  "org.opencontainers.image.source": "https://git.example.com/acme/api",
  "org.opencontainers.image.version": "1.2.0",
  "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
};

describe("the build-info of a release in Artifactory (stand-in)", () => {
  let art: ArtifactoryStandIn;

  beforeEach(async () => {
    art = await startArtifactory({ files: "generic" });
  });
  afterEach(() => art.stop());

  /** A client as each destination of a registry has one of its own. */
  const builds = new KeyedMutex();
  const api = () => {
    const authorize = async () => basicAuth(art.username, art.password);
    return new ArtifactoryApi({ label: "art", url: new URL(`${art.url}/`), authorize }, builds);
  };
  const signal = new AbortController().signal;
  const moduleAt = (number: number) => {
    const path = `files/tool-${number}/1.2.0/tool`;
    const { sha1 } = art.storage.keep(path, Buffer.from(`tool ${number}`)).checksums;
    return moduleOf("file", `tool-${number}:1.2.0`, [{ path, sha1, md5: undefined, sha256: undefined }]);
  };

  it("loses no module, however many are added at once", async () => {
    const facts = buildFacts(METADATA);
    assert.ok(facts);
    const modules = Array.from({ length: 16 }, (_, number) => moduleAt(number));
    await Promise.all(modules.map((module) => addToBuild(api(), facts, module, signal)));
    const told = art.builds.get("acme/api", "1.2.0").modules.map(({ id }) => id);
    assert.deepEqual(
      told,
      modules.map(({ id }) => id),
    );
    assert.deepEqual(art.violations, []);
  });

  it("goes on after one addition failed", async () => {
    const facts = buildFacts(METADATA);
    assert.ok(facts);
    art.fail.push({ fits: /^PUT .*\/api\/build$/, status: 503, times: 1 });
    const [first, second] = await Promise.allSettled(
      [moduleAt(1), moduleAt(2)].map((module) => addToBuild(api(), facts, module, signal)),
    );
    assert.deepEqual([first?.status, second?.status], ["rejected", "fulfilled"]);
    assert.deepEqual(
      art.builds.get("acme/api", "1.2.0").modules.map(({ id }) => id),
      ["tool-2:1.2.0"],
    );
  });

  it("is none where the facts tell of no commit", () => {
    assert.equal(buildFacts({}), null);
    assert.equal(buildFacts({ "org.opencontainers.image.revision": "ab12cd3" }), null);
    assert.equal(buildFacts({ ...METADATA, "org.opencontainers.image.created": "then" }), null);
  });
});
