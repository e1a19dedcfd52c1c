import assert from "node:assert/strict";
import { buildEnvironment, dockerfileDeclares, releaseMetadata } from "../../../src/delivery/metadata.ts";

const facts = {
  repo: { host: "github", owner: "acme", name: "api" },
  sha: "ab12cd3".padEnd(40, "0"),
  committedAt: new Date("2026-01-02T03:04:05+01:00"),
  ref: "refs/heads/feature/x",
  version: "1.2.3",
};

describe("what a delivery tells its build", () => {
  it("labels an image with where it comes from", () => {
    const more = { cloneUrl: "https://github.com/", deliveryId: "d1" };
    assert.deepEqual(releaseMetadata({ ...facts, ...more }), {
      "org.opencontainers.image.revision": facts.sha,
      "org.opencontainers.image.source": "https://github.com/acme/api",
      "org.opencontainers.image.version": "1.2.3",
      "org.opencontainers.image.created": "2026-01-02T02:04:05Z",
      "org.opencontainers.image.ref.name": "feature/x",
      "dev.deliverd.delivery": "d1",
    });
  });

  it("gives every build the same environment for the same commit", () => {
    assert.deepEqual(buildEnvironment(facts), {
      DELIVERD_VERSION: "1.2.3",
      DELIVERD_VERSION_MAVEN: "1.2.3",
      DELIVERD_VERSION_PEP440: "1.2.3",
      DELIVERD_SHA: facts.sha,
      DELIVERD_REF: "refs/heads/feature/x",
      DELIVERD_REPO: "github/acme/api",
      SOURCE_DATE_EPOCH: "1767319445",
      CI: "true",
    });
  });

  it("leaves out the spelling of an ecosystem that has none for the version", () => {
    const { DELIVERD_VERSION, ...others } = buildEnvironment({ ...facts, version: "1.2.3-SNAPSHOT" });
    assert.equal(DELIVERD_VERSION, "1.2.3-SNAPSHOT");
    assert.ok(!("DELIVERD_VERSION_MAVEN" in others) && !("DELIVERD_VERSION_PEP440" in others));
  });
});

describe("a Dockerfile declares an argument", () => {
  for (const [text, declares] of [
    ["FROM x\nARG DELIVERD_VERSION", true],
    ["FROM x\r\n  arg DELIVERD_VERSION=dev\r\n", true],
    ["ARG A=1 DELIVERD_VERSION\nFROM x", true],
    ["FROM x\nARG A \\\n# why\n  DELIVERD_VERSION", true],
    ["# ARG DELIVERD_VERSION\nFROM x", false],
    ["FROM x\nARG DELIVERD_VERSION_2", false],
    ["FROM x\nRUN echo ARG DELIVERD_VERSION", false],
    ["FROM x\nENV DELIVERD_VERSION=1", false],
    ["", false],
  ] as const) {
    it(`${declares ? "with" : "not with"} ${JSON.stringify(text)}`, () => {
      assert.equal(dockerfileDeclares(text, "DELIVERD_VERSION"), declares);
    });
  }
});
