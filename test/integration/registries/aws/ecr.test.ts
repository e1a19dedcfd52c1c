import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { createMask } from "../../../../src/observe/mask.ts";
import { type EcrConfig, ecrRegistry } from "../../../../src/registries/ecr/registry.ts";
import type { Registry, StampedContent } from "../../../../src/registries/registry.ts";
import { freezeImage } from "../../../support/fixtures/images.ts";
import { testRun } from "../../../support/fixtures/run.ts";
import type { Door } from "../../../support/registries/aws/door.ts";
import { account } from "../../../support/registries/aws/ecr.ts";
import { type House, metadata, named, openHouse } from "../../../support/registries/aws/house.ts";
import { Fault } from "../../../support/registries/aws/write.ts";
import { startRegistry, type TestRegistry } from "../../../support/registries/docker-registry.ts";
import { skopeo } from "../skopeo.ts";
import { demandSilence } from "./secrets.ts";

const config: EcrConfig = {
  region: "eu-west-1",
  account,
  createRepositories: true,
  movingTags: ["latest", "release-*"],
  checkRepository: null,
};

describe("An ECR registry (against a stand-in from AWS's own model, with a real registry behind it)", () => {
  let behind: TestRegistry;
  let house: House;
  let door: Door;
  let registry: Registry;
  before(async () => {
    behind = await startRegistry();
  });
  after(() => behind.stop());
  beforeEach(async () => {
    house = await openHouse();
    door = await house.aws.ecr.open(behind.url);
    registry = open();
  });
  afterEach(async () => {
    await door.stop();
    await house.remove();
  });

  const open = (more: Partial<EcrConfig> = {}) => ecrRegistry("ecr", { ...config, ...more }, { store: house.store });
  const freeze = async (layers = [1000, 2000]): Promise<StampedContent> => {
    const image = await freezeImage(house.store, { layers });
    return { ...image, kind: "image", metadata };
  };
  /** A fresh name: what the real registry holds outlives each test. */
  let count = 0;
  const fresh = (tag: string, immutable = true) => named("ecr", `acme/app-${count++}`, tag, immutable);

  it("creates the repository with scanning, and with immutable tags except for moving names", async () => {
    const name = fresh("1.0.0");
    const image = await freeze();
    await registry.upload?.(image, named("ecr", name.repository, image.digest), testRun());
    const location = await registry.publish(image, name, testRun());
    assert.deepEqual(house.aws.ecr.repositories.get(name.repository)?.input, {
      registryId: account,
      repositoryName: name.repository,
      imageTagMutability: "IMMUTABLE_WITH_EXCLUSION",
      imageTagMutabilityExclusionFilters: [
        { filterType: "WILDCARD", filter: "latest" },
        { filterType: "WILDCARD", filter: "release-*" },
      ],
      imageScanningConfiguration: { scanOnPush: true },
    });
    const host = new URL(door.url).host;
    assert.deepEqual(location, {
      registry: "ecr",
      ...{ repository: name.repository, tag: "1.0.0" },
      digest: image.digest,
      url: `${door.url}/v2/${name.repository}/manifests/${image.digest}`,
      pull: `docker pull ${host}/${name.repository}@${image.digest}`,
    });
    assert.equal(house.aws.count("GetAuthorizationToken"), 1);
  });

  it("publishes what an independent client reads back with a token of the API", async () => {
    const name = fresh("1.0.0");
    const image = await freeze();
    await registry.publish(image, name, testRun());
    const [password = ""] = house.aws.ecr.tokens.all;
    const server = { ...behind, url: door.url, host: new URL(door.url).host, username: "AWS", password };
    assert.equal(await skopeo.digest(server, `${name.repository}:1.0.0`), image.digest);
    const copied = await skopeo.copy(server, `${name.repository}@${image.digest}`);
    const { blobs } = await house.store.contentOf(image.digest);
    assert.deepEqual(copied.sort(), blobs.map(({ digest }) => digest.slice(7)).sort());
  });

  it("restores an image into a store that has lost it", async () => {
    const image = await freeze();
    const location = await registry.publish(image, fresh("1.0.0"), testRun());
    for (const { digest } of await house.store.list()) await house.store.remove(digest);
    assert.equal(await registry.restore(location, testRun(), image), true);
    assert.ok((await house.store.contentOf(image.digest)).blobs.length > 0);
    const sink = new PassThrough();
    sink.resume();
    await registry.pull(location, sink, testRun(), image);
  });

  it("finds nothing in a repository that does not exist", async () => {
    assert.equal(await registry.find(fresh("1.0.0"), testRun(), await freeze()), null);
  });

  it("moves tags that are mutable, and says what to allow for others", async () => {
    const [first, second] = [await freeze(), await freeze()];
    const moving = fresh("latest", false);
    await registry.publish(first, moving, testRun());
    await registry.publish(second, moving, testRun());
    assert.deepEqual(await registry.find(moving, testRun(), second), { digest: second.digest });

    const other = { ...moving, tag: "trunk" };
    await registry.publish(first, other, testRun());
    await assert.rejects(registry.publish(second, other, testRun()), {
      name: "Refused",
      code: "ecr-tag-immutable",
      message: /does not let trunk move: .*registries\.ecr\.movingTags/,
    });
    const fixed = { ...moving, tag: "1.0.0", immutable: true };
    await registry.publish(first, fixed, testRun());
    await assert.rejects(registry.publish(second, fixed, testRun()), { name: "Refused", code: "name-taken" });
  });

  it("makes every tag immutable if no name moves", async () => {
    const name = fresh("1.0.0");
    await open({ movingTags: [] }).publish(await freeze(), name, testRun());
    const made = house.aws.ecr.repositories.get(name.repository)?.input;
    assert.equal(made?.imageTagMutability, "IMMUTABLE");
  });

  it("accepts a repository that another process creates meanwhile", async () => {
    const name = fresh("1.0.0");
    house.aws.fault = ({ operation, input }) => {
      if (operation !== "CreateRepository") return undefined;
      house.aws.fault = () => undefined;
      house.aws.ecr.answer("CreateRepository", input);
      return undefined;
    };
    await registry.publish(await freeze(), name, testRun());
    assert.equal(house.aws.seen.at(-1)?.answered, "RepositoryAlreadyExistsException");
  });

  it("creates no repository if it must not or has no right to", async () => {
    const image = await freeze();
    await assert.rejects(open({ createRepositories: false }).publish(image, fresh("1"), testRun()), {
      name: "Refused",
      code: "registry-name-unknown",
    });
    house.aws.fault = ({ operation }) =>
      operation === "CreateRepository" ? new Fault(400, "AccessDeniedException", "not authorized") : undefined;
    await assert.rejects(registry.publish(image, fresh("1"), testRun()), {
      name: "Refused",
      code: "registry-denied",
      message: /IAM policy allows ecr:CreateRepository .* does not exist: create it there/,
    });
  });

  it("requests a new token during a push when the old one has expired", async () => {
    const image = await freeze([1000, 2000, 3000]);
    const name = fresh("1.0.0");
    let blobs = 0;
    house.aws.ecr.atDoor = ({ method }) => {
      if (method === "PUT" && ++blobs === 2) house.aws.ecr.tokens.endAll();
      return null;
    };
    await registry.publish(image, name, testRun());
    assert.ok(door.passed.some(({ status, method }) => status === 401 && method === "PUT"));
    assert.equal(house.aws.count("GetAuthorizationToken"), 2);
    assert.deepEqual(await registry.find(name, testRun(), image), { digest: image.digest });
  });

  it("requests a new token shortly before the old one expires, and not sooner", async () => {
    let now = Date.now();
    const clocked = ecrRegistry("ecr", config, { store: house.store }, { now: () => now });
    const image = await freeze();
    await clocked.publish(image, fresh("1"), testRun());
    now += 11.9 * 3_600_000;
    await clocked.publish(image, fresh("1"), testRun());
    assert.equal(house.aws.count("GetAuthorizationToken"), 1);
    now += 0.05 * 3_600_000;
    await clocked.publish(image, fresh("1"), testRun());
    assert.equal(house.aws.count("GetAuthorizationToken"), 2);
  });

  it("keeps a token without an expiry date, and masks it in every form", async () => {
    const mask = createMask([]);
    const learning = ecrRegistry("ecr", config, { store: house.store, learn: mask.learn });
    house.aws.ecr.tokens.tellsEnd = false;
    const image = await freeze();
    for (const tag of ["1", "2"]) await learning.publish(image, { ...fresh(tag) }, testRun());
    assert.equal(house.aws.count("GetAuthorizationToken"), 1);
    const [token = ""] = house.aws.ecr.tokens.all;
    const basic = Buffer.from(`AWS:${token}`).toString("base64");
    assert.equal(mask(`${token} ${basic}`), "[secret] [secret]");
  });

  it("gives up if no token is accepted, and names the required rights", async () => {
    house.aws.ecr.atDoor = () => {
      house.aws.ecr.tokens.endAll();
      return null;
    };
    await assert.rejects(registry.publish(await freeze(), fresh("1"), testRun()), {
      name: "Refused",
      code: "registry-denied",
      message: /ecr:PutImage/,
    });
  });

  it("checks by a login alone, or in the repository that the configuration names for checks", async () => {
    await registry.check();
    assert.deepEqual(
      door.passed.map(({ method, path }) => `${method} ${path}`),
      ["GET /v2/", "GET /v2/"],
    );
    await assert.rejects(open({ checkRepository: "acme/nowhere" }).check(), {
      name: "ConfigError",
      code: "registry-name-unknown",
    });
    assert.equal(house.aws.ecr.repositories.size, 0);
  });

  it("shows no secret in its errors, with a wrong secret and with none", async () => {
    await demandSilence(house.aws, open);
  });

  it("reports limits and failures of AWS as transient", async () => {
    const image = await freeze();
    for (const [fault, code] of [
      [new Fault(400, "ThrottlingException"), "registry-limited"],
      [new Fault(429, "TooManyRequestsException"), "registry-limited"],
      [new Fault(500, "ServerException"), "registry-unavailable"],
    ] as const) {
      house.aws.fault = () => fault;
      await assert.rejects(open().publish(image, fresh("1"), testRun()), { name: "TransientError", code });
    }
    house.aws.fault = () => undefined;
    house.aws.ecr.atDoor = () => ({ status: 429, headers: { "Retry-After": "7" } });
    await assert.rejects(registry.publish(image, fresh("1"), testRun()), {
      name: "TransientError",
      code: "registry-limited",
      retryAfter: 7000,
    });
  });
});
