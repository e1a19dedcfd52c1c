import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism } from "node:os";
import { engineFacts } from "../../../src/builders/engine.ts";
import { type Engine, startEngine } from "../../support/engine/engine.ts";
import { orderOf, readFrozen, shellImage, startYard, treeOf, type Yard } from "../../support/engine/image-builds.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { until } from "../../support/processes/process.ts";

describe("A Docker Engine", function () {
  this.timeout(30_000);
  let engine: Engine;
  before(async () => {
    engine = await startEngine({ own: true });
  });
  after(() => engine.stop());

  it("reports its capabilities", async () => {
    const { version, apiVersion, store, ...facts } = await engineFacts(engine.docker);
    assert.match(store, /^(?:overlay2|vfs)$/);
    assert.match(version, /^\d+\.\d+/);
    assert.match(apiVersion, /^\d+\.\d+$/);
    const platform = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
    assert.deepEqual(facts, {
      product: "Docker",
      containerd: false,
      platform,
      buildkit: true,
      bridge: false,
      honoursLimits: true,
      cpus: availableParallelism(),
    });
  });
});

for (const installation of ["buildkit", "classic"] as const) {
  describe(`The image builder (${installation})`, function () {
    this.timeout(120_000);
    let yard: Yard;
    before(async () => {
      yard = await startYard();
    });
    after(() => yard.stop());
    const build = (order: ReturnType<typeof orderOf>, run = testRun()) =>
      yard.builder({ installation }).build(order, run);

    it("freezes an image in the store with the labels and the declared arguments of its commit", async () => {
      const order = orderOf(
        {
          Dockerfile: `FROM ${shellImage}\nARG DELIVERD_VERSION\nENV VERSION=$DELIVERD_VERSION\nCOPY app.txt /app.txt\nRUN echo "it is $VERSION"\n`,
          "app.txt": "hello",
        },
        {
          args: { DELIVERD_VERSION: "1.2.3", DELIVERD_SHA: "f".repeat(40) },
          labels: { "org.opencontainers.image.revision": "f".repeat(40), "dev.deliverd.delivery": "d1" },
        },
      );
      const run = testRun();
      const frozen = await build(order, run);
      assert.match(frozen.digest, /^sha256:[0-9a-f]{64}$/);
      assert.match(
        frozen.mediaType,
        /^application\/vnd\.(?:docker\.distribution\.manifest\.v2|oci\.image\.manifest\.v1)\+json$/,
      );
      assert.equal(frozen.size, (await yard.store.contentOf(frozen.digest)).size);
      const image = await readFrozen(yard.store, frozen.digest);
      // Podman adds one of its own.
      const { "io.buildah.version": _, ...labels } = image.config.Labels;
      assert.deepEqual(labels, order.labels);
      assert.ok(image.config.Env.includes("VERSION=1.2.3"), String(image.config.Env));
      assert.match(run.text(), /^it is 1\.2\.3$/m);
      assert.doesNotMatch(run.text(), /not consumed/);
    });

    it("leaves no name of the build in the engine", async () => {
      const order = orderOf({ Dockerfile: `FROM ${shellImage}\nRUN echo kept nowhere\n` });
      await build(order);
      const names = (await yard.engine.docker.listImages()).flatMap((image) => image.RepoTags ?? []);
      assert.deepEqual(
        names.filter((name) => name.includes(order.id)),
        [],
      );
      assert.deepEqual(await yard.engine.docker.listContainers({ all: true }), []);
    });

    it("makes the same layers from the same tree", async () => {
      const files = { Dockerfile: `FROM ${shellImage}\nCOPY a /a\nRUN echo made > /made\n`, a: "1" };
      const first = await build(orderOf(files));
      const second = await build(orderOf(files));
      const other = await build(orderOf({ ...files, a: "2" }));
      const layers = async ({ digest }: { digest: string }) => (await readFrozen(yard.store, digest)).layers;
      assert.deepEqual(await layers(first), await layers(second));
      assert.notDeepEqual(await layers(first), await layers(other));
    });

    it("builds from a Dockerfile in a folder, and from one outside the context", async () => {
      const plain = orderOf({});
      const inFolder = `FROM ${shellImage}\nCOPY docker/Dockerfile /copy\n`;
      await build({
        ...plain,
        id: `${plain.id}-a`,
        artifact: { ...plain.artifact, dockerfile: "api/docker/Dockerfile", context: "api" },
        dockerfile: inFolder,
        openContext: async () => treeOf({ "docker/Dockerfile": inFolder }),
      });
      const outside = `FROM ${shellImage}\nCOPY main.txt /main.txt\nRUN cat /main.txt\n`;
      const run = testRun();
      await build(
        {
          ...plain,
          id: `${plain.id}-b`,
          artifact: { ...plain.artifact, dockerfile: "docker/api.Dockerfile", context: "./api/" },
          dockerfile: outside,
          openContext: async () => treeOf({ "main.txt": "the text of main" }),
          dockerfileApart: true,
        },
        run,
      );
      assert.match(run.text(), /the text of main/);
    });

    it("builds several stages, from scratch, and with a base named by an argument", async () => {
      const dockerfile = [
        `ARG BASE=nothing-of-this-name`,
        `FROM \${BASE} AS made`,
        `RUN echo content > /file`,
        `FROM scratch`,
        `COPY --from=made /file /file`,
      ].join("\n");
      const frozen = await build(orderOf({ Dockerfile: dockerfile }, { args: { BASE: shellImage } }));
      assert.deepEqual(
        frozen.bases.map((base) => base.reference),
        [shellImage],
      );
      assert.equal((await readFrozen(yard.store, frozen.digest)).layers.length, 1);
    });

    it("pulls a base image once for several simultaneous builds", async () => {
      const asked: string[] = [];
      const waiting: (() => void)[] = [];
      const server = createServer((request, response) => {
        asked.push(`${request.method} ${request.url}`);
        if (request.url === "/v2/") response.end("{}");
        else waiting.push(() => response.writeHead(404).end());
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const runs = [testRun(), testRun(), testRun(), testRun()];
      const builder = yard.builder({ installation });
      const builds = Promise.allSettled(
        runs.map((run) => builder.build(orderOf({ Dockerfile: `FROM 127.0.0.1:${port}/base:1\n` }), run)),
      );
      await until("all of them pull", () => waiting.length > 0 && runs.every((run) => /Pulling/.test(run.text())));
      server.on("request", () => waiting.shift()?.());
      for (const answer of waiting.splice(0)) answer();
      for (const result of await builds) assert.equal(result.status, "rejected");
      server.close();
      server.closeAllConnections();
      // Docker asks by HEAD first, Podman by GET.
      const first = asked.some((each) => each.startsWith("HEAD ")) ? "HEAD " : "GET /v2/base/manifests/";
      assert.equal(asked.filter((each) => each.startsWith(first)).length, 1, String(asked));
    });
  });
}
