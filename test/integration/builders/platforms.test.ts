import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { engineFacts } from "../../../src/builders/engine.ts";
import { pushShell } from "../../support/engine/buildkit-yard.ts";
import { orderOf, readFrozen, shellImage, startYard, type Yard } from "../../support/engine/image-builds.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { startRegistry } from "../../support/registries/docker-registry.ts";

const OWN = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
const PLATFORMS = ["linux/arm64", "linux/amd64", "linux/arm/v6"];

describe("An image for several platforms", function () {
  this.timeout(120_000);
  let yard: Yard;
  before(async () => {
    yard = await startYard();
  });
  after(() => yard.stop());
  const build = (dockerfile: string, platforms: string[], run = testRun()) =>
    yard
      .builder({ installation: "buildkit" })
      .build(orderOf({ Dockerfile: dockerfile, a: "a" }, { artifact: artifactPlan({ platforms }) }), run);

  it("is one index, in one order, whose images are each for their platform", async () => {
    const dockerfile = "FROM scratch\nARG TARGETPLATFORM\nLABEL for=$TARGETPLATFORM\nCOPY a /a\n";
    const frozen = await build(dockerfile, PLATFORMS);
    assert.equal(frozen.mediaType, "application/vnd.oci.image.index.v1+json");
    assert.equal(frozen.size, (await yard.store.contentOf(frozen.digest)).size);
    const index = JSON.parse((await buffer(yard.store.open(frozen.digest))).toString());
    assert.deepEqual(
      index.manifests.map(({ platform }: { platform: object }) => platform),
      [
        { architecture: "amd64", os: "linux" },
        { architecture: "arm", os: "linux", variant: "v6" },
        { architecture: "arm64", os: "linux" },
      ],
    );
    const found = await Promise.all(
      index.manifests.map(
        async ({ digest }: { digest: string }) => (await readFrozen(yard.store, digest)).config.Labels,
      ),
    );
    assert.deepEqual(
      found.map((labels) => labels.for),
      ["linux/amd64", "linux/arm/v6", "linux/arm64"],
    );
  });

  it("builds steps on the engine's own platform where the Dockerfile says so, and warns of others", async () => {
    const dockerfile = [
      `FROM --platform=$BUILDPLATFORM ${shellImage} AS made`,
      "ARG TARGETARCH",
      'RUN echo "compiled for $TARGETARCH" | tee /program',
      "FROM scratch",
      "COPY --from=made /program /program",
    ].join("\n");
    const run = testRun();
    const frozen = await build(dockerfile, ["linux/s390x", OWN], run);
    assert.match(run.text(), /^compiled for s390x$/m);
    assert.match(run.text(), /^The engine cannot run programs for linux\/s390x: .*qemu-user-static/m);
    assert.equal(run.text().split("cannot run programs").length, 2);
    assert.deepEqual(
      frozen.bases.map(({ reference }) => reference),
      [shellImage],
    );
  });

  it("leaves no name in the engine", async () => {
    const order = orderOf(
      { Dockerfile: "FROM scratch\nCOPY a /a\n", a: "b" },
      { artifact: artifactPlan({ platforms: PLATFORMS }) },
    );
    await yard.builder({ installation: "buildkit" }).build(order, testRun());
    const names = (await yard.engine.docker.listImages()).flatMap((image) => image.RepoTags ?? []);
    assert.deepEqual(
      names.filter((name) => name.includes(order.id)),
      [],
    );
  });

  it("says in the log that a base has no image for the platform", async () => {
    const registry = await startRegistry();
    const base = await pushShell(yard, registry);
    const run = testRun();
    await build(`FROM ${base}\nCOPY a /a\n`, [OWN, "linux/s390x"], run);
    const told = run.text().match(/^Base .* is for linux\/\w+, not for linux\/s390x: .*$/gm);
    // In containerd's store, the engine does not say which platform a base is for.
    const { containerd } = await engineFacts(yard.engine.docker);
    assert.equal(told?.length ?? 0, containerd ? 0 : 1, run.text());
    await registry.stop();
  });
});
