import assert from "node:assert/strict";
import { platformConfig } from "../support/registries/platform-config.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

describe("An image for several platforms", function () {
  this.timeout(120_000);
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => stopAndCheck(world));

  it("has one digest in every registry, and a client finds the image of its platform", async () => {
    const repo = await world.repo("two", {
      Dockerfile: "FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY greeting.txt /\n",
      ".deliverd.yml": pipeline([
        image("two", {
          platforms: ["linux/arm64", "linux/amd64"],
          labels: { team: "payments" },
          publish: ["local", "second"].map((to) => ({ to, as: "acme/two", tags: ["{version}", "sha-{shortSha}"] })),
        }),
      ]),
    });
    const sha = await world.release(repo);
    const tag = `sha-${sha.slice(0, 7)}`;
    const [release] = await world.releases(repo, sha);
    const digests = new Set(release?.locations.map(({ digest }) => digest));
    assert.deepEqual([...digests], [release?.digest]);
    for (const registry of [world.registry, world.second])
      for (const reference of [`:${tag}`, `@${release?.digest}`])
        for (const arch of ["amd64", "arm64"]) {
          const { architecture, config } = await platformConfig(registry, `acme/two${reference}`, arch);
          assert.deepEqual([architecture, config.Labels.arch], [arch, arch]);
          assert.equal(config.Labels.team, "payments");
          assert.equal(config.Labels["org.opencontainers.image.revision"], sha);
        }
  });
});
