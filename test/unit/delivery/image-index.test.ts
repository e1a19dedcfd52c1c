import assert from "node:assert/strict";
import fc from "fast-check";
import { imageIndex, isFor, readPlatform } from "../../../src/delivery/image-index.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const image = (platform: string) => ({ platform, mediaType: MANIFEST, digest: `sha256:${platform}`, size: 7 });

describe("The index of an image for several platforms", () => {
  it("is the OCI index of its images", () => {
    assert.deepEqual(JSON.parse(imageIndex([image("linux/arm/v6")])), {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [
        {
          mediaType: MANIFEST,
          digest: "sha256:linux/arm/v6",
          size: 7,
          platform: { architecture: "arm", os: "linux", variant: "v6" },
        },
      ],
    });
  });

  it("is the same text in whatever order the images were built", () => {
    const platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "windows/amd64"];
    fc.assert(
      fc.property(fc.shuffledSubarray(platforms, { minLength: 5 }), (order) => {
        assert.equal(imageIndex(order.map(image)), imageIndex(platforms.map(image)));
      }),
    );
  });
});

describe("A platform", () => {
  it("has one form", () => {
    assert.deepEqual(readPlatform("linux/arm64/v8"), readPlatform("linux/arm64"));
    assert.deepEqual(readPlatform("linux/arm"), { architecture: "arm", os: "linux", variant: "v7" });
    assert.deepEqual(readPlatform("linux/amd64/v3"), { architecture: "amd64", os: "linux", variant: "v3" });
  });

  const cases: [platform: string, configuration: Parameters<typeof isFor>[0], fits: boolean][] = [
    ["linux/amd64", { os: "linux", architecture: "amd64" }, true],
    ["linux/arm64", { os: "linux", architecture: "arm64", variant: "v8" }, true],
    ["linux/arm/v7", { os: "linux", architecture: "arm", variant: "v7" }, true],
    ["linux/arm/v7", { os: "linux", architecture: "arm" }, true],
    ["linux/arm/v6", { os: "linux", architecture: "arm", variant: "v7" }, false],
    ["linux/arm64", { os: "linux", architecture: "amd64" }, false],
    ["linux/amd64", {}, false],
  ];
  for (const [platform, configuration, fits] of cases)
    it(`${platform} ${fits ? "has" : "has not"} the image with ${JSON.stringify(configuration)}`, () => {
      assert.equal(isFor(configuration, platform), fits);
    });
});
