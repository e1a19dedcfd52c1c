import assert from "node:assert/strict";
import { engineFacts } from "../../../src/builders/engine.ts";
import { orderOf, readFrozen, shellImage, startYard, type Yard } from "../../support/engine/image-builds.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";
import { testRun } from "../../support/fixtures/run.ts";

for (const installation of ["buildkit", "classic"] as const) {
  describe(`The settings of an image (${installation})`, function () {
    this.timeout(120_000);
    let yard: Yard;
    before(async () => {
      yard = await startYard();
    });
    after(() => yard.stop());
    const build = (order: ReturnType<typeof orderOf>, run = testRun()) =>
      yard.builder({ installation }).build(order, run);

    it("name the stage that becomes the image, and no later stage is built", async () => {
      const lines = [
        `FROM ${shellImage} AS base`,
        "RUN echo base > /base",
        "FROM base AS Release",
        'CMD ["release"]',
        "FROM base AS test",
        "RUN exit 3",
      ];
      const artifact = artifactPlan({ name: "app", platforms: ["linux/amd64"], target: "release" });
      const frozen = await build(orderOf({ Dockerfile: lines.join("\n") }, { artifact }));
      const image = await readFrozen(yard.store, frozen.digest);
      assert.deepEqual(image.config.Cmd, ["release"]);
    });

    it("name a stage that the Dockerfile must have", async () => {
      const artifact = artifactPlan({ name: "app", platforms: ["linux/amd64"], target: "release" });
      await assert.rejects(build(orderOf({ Dockerfile: `FROM ${shellImage} AS test\n` }, { artifact })), {
        name: "UserError",
        code: "dockerfile-invalid",
        message: /no stage "release".* Its stages are test/,
      });
    });

    it("give labels of any text", async () => {
      const labels = { team: "payments", quoted: `a "b" 'c' \\n`, empty: "", "dev.deliverd.delivery": "d7" };
      const files = { Dockerfile: `FROM ${shellImage}\nLABEL team=none kept=yes\n` };
      const frozen = await build(orderOf(files, { labels }));
      const { "io.buildah.version": _, ...found } = (await readFrozen(yard.store, frozen.digest)).config.Labels;
      assert.deepEqual(found, { ...labels, kept: "yes" });
    });

    it("give labels with a dollar sign, which only Podman cannot keep (label-with-variable)", async () => {
      const labels = { "dev.deliverd.delivery": "d7", price: `5 $HOME \${X}` };
      const { product } = await engineFacts(yard.engine.docker);
      const built = build(orderOf({ Dockerfile: `FROM ${shellImage}\n` }, { labels }));
      if (product === "Podman") {
        await assert.rejects(built, { name: "UserError", code: "label-with-variable" });
        return;
      }
      assert.deepEqual((await readFrozen(yard.store, (await built).digest)).config.Labels, labels);
    });

    it("can ask for a build from nothing: every step runs again", async () => {
      const files = { Dockerfile: `FROM ${shellImage}\nRUN cat /proc/sys/kernel/random/uuid > /id\n` };
      const layersOf = async (cache: boolean) => {
        const artifact = artifactPlan({ name: "app", platforms: ["linux/amd64"], cache });
        return (await readFrozen(yard.store, (await build(orderOf(files, { artifact }))).digest)).layers;
      };
      const first = await layersOf(true);
      assert.deepEqual(await layersOf(true), first);
      assert.notDeepEqual(await layersOf(false), first);
    });
  });
}
