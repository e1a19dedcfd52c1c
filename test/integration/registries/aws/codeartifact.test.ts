import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import CodeArtifactOfV2 from "aws-sdk/clients/codeartifact.js";
import { type CodeArtifactConfig, codeArtifactRegistry } from "../../../../src/registries/codeartifact/registry.ts";
import type { Registry } from "../../../../src/registries/registry.ts";
import { testRun } from "../../../support/fixtures/run.ts";
import { account } from "../../../support/registries/aws/ecr.ts";
import { freeze, type House, metadata, named, openHouse } from "../../../support/registries/aws/house.ts";
import { Fault } from "../../../support/registries/aws/write.ts";
import { demandSilence } from "./secrets.ts";

const config: CodeArtifactConfig = { region: "eu-west-1", domain: "acme", domainOwner: account, repository: "main" };

describe("A CodeArtifact registry of generic packages (against a stand-in from AWS's own model)", () => {
  let house: House;
  let registry: Registry;
  beforeEach(async () => {
    house = await openHouse();
    registry = open();
  });
  afterEach(() => house.remove());

  const open = () => codeArtifactRegistry("ca", config, { store: house.store });
  const name = named("ca", "acme/api/docs", "1.0.0");
  const standing = () => house.aws.codeartifact.version("generic", "acme:api", "docs", "1.0.0");

  it("puts files and their metadata into one version, and finishes it with the last file", async () => {
    const content = await freeze(house.store, "file", { "a+b.bin": 5000, "über uns.txt": 100 });
    const location = await registry.publish(content, name, testRun());
    assert.deepEqual([...(standing()?.assets.keys() ?? [])].sort(), ["a+b.bin", "deliverd.json", "über uns.txt"]);
    const sent = house.aws.seen.filter(({ operation }) => operation === "PublishPackageVersion");
    assert.deepEqual(
      sent.map(({ input }) => input.unfinished),
      [true, true, undefined],
    );
    assert.equal(standing()?.status, "Published");
    const sidecar = JSON.parse(String(standing()?.assets.get("deliverd.json")));
    assert.deepEqual(sidecar, { kind: "file", digest: content.digest, files: content.files, metadata });
    const pull = (file: string) =>
      `aws codeartifact get-package-version-asset --region eu-west-1 --domain acme --domain-owner ${account} --repository main --format generic --namespace acme:api --package docs --package-version 1.0.0 --asset ${file} ${file}`;
    assert.deepEqual(location, {
      registry: "ca",
      ...{ repository: "acme/api/docs", tag: "1.0.0" },
      digest: content.digest,
      url: `https://eu-west-1.console.aws.amazon.com/codesuite/codeartifact/d/${account}/acme/r/main/p/generic/acme%3Aapi/docs/v/1.0.0`,
      pull: `${pull("a+b.bin")} && ${pull("'über uns.txt'")}`,
    });
  });

  it("publishes what another AWS client reads back byte for byte", async () => {
    const content = await freeze(house.store, "file", { "a+b.bin": 5000 });
    await registry.publish(content, name, testRun());
    const other = new CodeArtifactOfV2({ endpoint: house.aws.url, region: "eu-west-1" });
    const { asset } = await other
      .getPackageVersionAsset({
        ...{ domain: "acme", domainOwner: account, repository: "main", format: "generic" },
        ...{ namespace: "acme:api", package: "docs", packageVersion: "1.0.0", asset: "a+b.bin" },
      })
      .promise();
    assert.deepEqual(asset, await buffer(house.store.open(content.digest)));
  });

  it("pulls files back, and streams them", async () => {
    house.aws.codeartifact.page = 2;
    const several = await freeze(house.store, "file", { a: 1000, b: 2000, c: 3000 });
    const location = await registry.publish(several, name, testRun());
    for (const { digest } of await house.store.list()) await house.store.remove(digest);
    assert.equal(await registry.restore(location, testRun(), several), true);
    for (const { digest } of several.files ?? []) assert.equal(await house.store.has(digest), true);
    const one = await freeze(house.store, "file", { only: 4000 });
    const other = await registry.publish(one, named("ca", "acme/api/cli", "1.0.0"), testRun());
    const sink = new PassThrough();
    const [bytes] = await Promise.all([buffer(sink), registry.pull(other, sink, testRun(), one)]);
    assert.deepEqual(bytes, await buffer(house.store.open(one.digest)));
    assert.equal(await registry.restore({ ...other, repository: "acme/api/none" }, testRun(), one), true);
    await house.store.remove(one.digest);
    assert.equal(await registry.restore({ ...other, repository: "acme/api/none" }, testRun(), one), false);
  });

  it("accepts the same content again, and refuses other content under the name", async () => {
    const content = await freeze(house.store, "file", { a: 1000, b: 2000 });
    assert.equal(await registry.find(name, testRun(), content), null);
    const first = await registry.publish(content, name, testRun());
    const puts = house.aws.count("PublishPackageVersion");
    assert.deepEqual(await open().publish(content, name, testRun()), first);
    assert.equal(house.aws.count("PublishPackageVersion"), puts);
    assert.deepEqual(await registry.find(name, testRun(), content), { digest: content.digest });
    for (const files of [{ a: 1000, b: 2000 }, { a: 1000 }, { a: 1000, b: 2000, c: 10 }]) {
      const other = await freeze(house.store, "file", files);
      await assert.rejects(registry.publish(other, name, testRun()), { name: "Refused", code: "name-taken" });
    }
  });

  it("does not find an unfinished version, and finishes it", async () => {
    const content = await freeze(house.store, "file", { a: 1000, b: 2000 });
    house.aws.fault = ({ operation, input }) =>
      operation === "PublishPackageVersion" && input.unfinished !== true
        ? new Fault(500, "InternalServerException")
        : undefined;
    await assert.rejects(registry.publish(content, name, testRun()), { code: "registry-unavailable" });
    house.aws.fault = () => undefined;
    assert.equal(standing()?.status, "Unfinished");
    assert.equal(await registry.find(name, testRun(), content), null);
    // Metadata of an earlier try, which said it otherwise.
    standing()?.assets.set("deliverd.json", Buffer.from("{}"));
    await open().publish(content, name, testRun());
    assert.equal(standing()?.status, "Published");
    assert.deepEqual(await registry.find(name, testRun(), content), { digest: content.digest });
  });

  it("refuses names whose paths collide, and names that CodeArtifact refuses", async () => {
    const content = await freeze(house.store, "file", { a: 10 });
    for (const repository of ["acme:api/docs", "acme/a b/docs", "acme//docs", "acme/api/#"]) {
      await assert.rejects(registry.publish(content, named("ca", repository, "1"), testRun()), {
        code: "name-invalid",
      });
    }
    const own = await freeze(house.store, "file", { "deliverd.json": 10 });
    await assert.rejects(registry.publish(own, name, testRun()), { code: "name-invalid" });
    assert.equal(house.aws.codeartifact.versions.size, 0);
  });

  it("checks credentials and repository, and leaves nothing behind", async () => {
    await registry.check();
    assert.equal(house.aws.codeartifact.versions.size, 0);
    const wrong = codeArtifactRegistry("ca", { ...config, repository: "none" }, { store: house.store });
    await assert.rejects(wrong.check(), {
      name: "ConfigError",
      code: "registry-name-unknown",
      message: /^registries\.ca: /,
    });
  });

  it("reports transient failures as such, and names a missing right", async () => {
    const content = await freeze(house.store, "file", { a: 1000 });
    for (const [fault, code, kind] of [
      [new Fault(429, "ThrottlingException"), "registry-limited", "TransientError"],
      [new Fault(503, "ServiceUnavailable"), "registry-unavailable", "TransientError"],
      [new Fault(402, "ServiceQuotaExceededException"), "registry-refused", "Refused"],
      [new Fault(403, "AccessDeniedException"), "registry-denied", "Refused"],
    ] as const) {
      house.aws.fault = ({ operation }) => (operation === "PublishPackageVersion" ? fault : undefined);
      await assert.rejects(open().publish(content, name, testRun()), (error: Error & { code: string }) => {
        assert.deepEqual([error.name, error.code], [kind, code]);
        assert.match(error.message, /codeartifact:PublishPackageVersion/);
        return true;
      });
    }
  });

  it("shows no secret in its errors, with a wrong secret and with none", async () => {
    await demandSilence(house.aws, open);
  });
});
