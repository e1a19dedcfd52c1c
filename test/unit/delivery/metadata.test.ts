import assert from "node:assert/strict";
import { buildEnvironment, imageHoldsVersion, releaseMetadata } from "../../../src/delivery/metadata.ts";

const facts = {
  repo: { host: "github", owner: "acme", name: "api" },
  sha: "ab12cd3".padEnd(40, "0"),
  committedAt: new Date("2026-01-02T03:04:05+01:00"),
  ref: "refs/heads/feature/x",
  version: "1.2.3",
};

describe("the variables and labels of a build", () => {
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

describe("the check that an image depends on its version", () => {
  const cases: [text: string, holds: boolean, args?: Record<string, string>][] = [
    ["FROM x\nARG DELIVERD_VERSION", true],
    ["FROM x\r\n  arg DELIVERD_VERSION=dev\r\n", true],
    ["ARG A=1 DELIVERD_VERSION\nFROM x", true],
    ["FROM x\nARG A \\\n# why\n  DELIVERD_VERSION", true],
    ["# ARG DELIVERD_VERSION\nFROM x", false],
    ["FROM x\nARG DELIVERD_VERSION_2", false],
    ["FROM x\nRUN echo ARG DELIVERD_VERSION", false],
    ["FROM x\nENV DELIVERD_VERSION=1", false],
    ["", false],
    // No continuation: the escape is the backslash.
    ["FROM x\nRUN echo `date`\nARG DELIVERD_VERSION", true],
    ["# escape=`\nFROM x\nRUN dir C:\\\nARG DELIVERD_VERSION", true],
    ["# escape=`\nFROM x\nRUN dir `\nARG DELIVERD_VERSION", false],
    ["FROM x\nRUN echo a\\\\\nARG DELIVERD_VERSION", true],
    ["FROM x\nARG deliverd_version", false],
    ["FROM x\nARG DELIVERD_VERSION_MAVEN", true],
    ["FROM x\nARG DELIVERD_VERSION_PEP440=0", true],
    ['FROM x\nARG A="two words" DELIVERD_VERSION', true],
    ["FROM x\nARG A='DELIVERD_VERSION '", false],
    ["FROM x\nCOPY <<f <<-'g h' /\nARG DELIVERD_VERSION\nf\nARG DELIVERD_VERSION\n\tg h\n", false],
    ["FROM x\nRUN x <<f\nf\nARG DELIVERD_VERSION", true],
    ["FROM x\nUSER <<f\nARG DELIVERD_VERSION", true],
    // Only the stages that the last one needs are in the image.
    ["FROM x AS test\nARG DELIVERD_VERSION\nFROM y", false],
    ["FROM x AS test\nARG DELIVERD_VERSION\nFROM y\nCOPY --from=test /a /", true],
    ["FROM x AS test\nARG DELIVERD_VERSION\nFROM y\nRUN --mount=type=bind,from=test,target=/t cp /t/a /", true],
    ["FROM x AS a\nARG DELIVERD_VERSION\nFROM a AS b\nFROM y\nCOPY --from=1 /a /", true],
    // An ONBUILD is for the stages that stand on its own.
    ["FROM x\nONBUILD ARG DELIVERD_VERSION", false],
    ["FROM x AS a\nONBUILD ARG DELIVERD_VERSION\nFROM a", true],
    ["FROM x AS a\nONBUILD ARG DELIVERD_VERSION\nFROM y\nCOPY --from=a / /", false],
    // The pipeline's own arguments choose the stage.
    ["ARG V=a\nFROM x AS a\nARG DELIVERD_VERSION\nFROM x AS b\nFROM $V", true],
    ["ARG V=a\nFROM x AS a\nARG DELIVERD_VERSION\nFROM x AS b\nFROM $V", false, { V: "b" }],
    // What is not known before the build may be any of them.
    ["FROM x AS linux-\nARG DELIVERD_VERSION_PEP440\nFROM $TARGETOS-$TARGETVARIANT", true],
    // Another frontend has another grammar.
    ["# syntax=acme/other\nIMAGE x\n  arg DELIVERD_VERSION", true],
    ["# syntax=acme/other\nIMAGE x\n  set DELIVERD_VERSION", false],
  ];
  it("goes by the stage that becomes the image", () => {
    const text = "FROM x AS release\nARG DELIVERD_VERSION\nFROM y AS test";
    assert.equal(imageHoldsVersion(text, { args: {}, target: "release" }), true);
    assert.equal(imageHoldsVersion(text, { args: {}, target: "test" }), false);
  });
  for (const [text, holds, args = {}] of cases) {
    it(`${holds ? "with" : "not with"} ${JSON.stringify(text)}${args.V ? ` and ${JSON.stringify(args)}` : ""}`, () => {
      assert.equal(imageHoldsVersion(text, { args, target: null }), holds);
    });
  }
});
