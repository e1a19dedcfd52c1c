import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { BuildOrder } from "../../../src/builders/builder.ts";
import type { Frozen } from "../../../src/delivery/frozen.ts";
import { orderOf, shellImage, startYard, type Yard } from "../../support/engine/image-builds.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";
import { testRun } from "../../support/fixtures/run.ts";

const CANARY = "canary-4b1f0c2d9e8a-of-a-build";
const HASH = createHash("sha256").update(CANARY).digest("hex");

/** What a process of the step can see, without the file itself. */
const LOOK_AROUND = "cat /proc/*/cmdline /proc/*/environ | busybox tr '\\\\0' '\\\\n' > /seen; env >> /seen";

const MOUNT = "--mount=type=secret,id=NPM_TOKEN";

function orderWith(dockerfile: string[], more: Partial<BuildOrder> = {}): BuildOrder {
  const artifact = artifactPlan({ name: "app", platforms: ["linux/amd64"], secrets: ["NPM_TOKEN"] });
  return orderOf({ Dockerfile: dockerfile.join("\n") }, { artifact, secrets: { NPM_TOKEN: CANARY }, ...more });
}

describe("The secrets of an image", function () {
  this.timeout(120_000);
  let yard: Yard;
  before(async () => {
    yard = await startYard({ own: true });
  });
  after(() => yard.stop());
  const build = (order: BuildOrder, run = testRun()) => yard.builder({ installation: "buildkit" }).build(order, run);

  it("reach the step that mounts them, and leave no trace", async () => {
    const run = testRun();
    const dockerfile = [
      `FROM ${shellImage} AS made`,
      `RUN ${MOUNT} cat /run/secrets/NPM_TOKEN | busybox sha256sum; ${LOOK_AROUND}`,
      `RUN ${MOUNT},target=/root/.npmrc busybox sha256sum < /root/.npmrc`,
      "FROM made",
      "RUN ls /run/secrets || true",
    ];
    const frozen = await build(orderWith(dockerfile), run);
    assert.equal(run.text().split(HASH).length, 3, run.text());
    assert.deepEqual(await placesOf(frozen, run.text()), []);
  });

  it("would be found by that search if a step wrote them into a layer, an argument or the log", async () => {
    const run = testRun();
    const dockerfile = [`FROM ${shellImage}`, "ARG TOKEN", `RUN ${MOUNT} cat /run/secrets/NPM_TOKEN > /kept; env`];
    const frozen = await build(orderWith(dockerfile, { args: { TOKEN: CANARY } }), run);
    const places = new Set((await placesOf(frozen, run.text())).map((place) => place.split(" ")[0]));
    assert.deepEqual([...places].sort(), ["config", "engine", "layer", "log"]);
  });

  it("change nothing in the key of a cached step", async () => {
    const dockerfile = [`FROM ${shellImage}`, `RUN ${MOUNT} cat /proc/sys/kernel/random/uuid > /id`];
    const first = await build(orderWith(dockerfile));
    const rotated = await build(orderWith(dockerfile, { secrets: { NPM_TOKEN: "another-value" } }));
    assert.equal(first.digest, rotated.digest);
  });

  it("are there only for the names that the pipeline lists, and a step can require them", async () => {
    const run = testRun();
    await build(orderWith([`FROM ${shellImage}`, "RUN --mount=type=secret,id=OTHER ls /run/secrets || true"]), run);
    assert.doesNotMatch(run.text(), /^OTHER$/m);
    const required = [`FROM ${shellImage}`, "RUN --mount=type=secret,id=OTHER,required=true true"];
    await assert.rejects(build(orderWith(required)), {
      name: "UserError",
      code: "build-failed",
      message: /secret OTHER.* not found\. Name it under secrets of the artifact/,
    });
  });

  it("come also if the Dockerfile is no part of the context", async () => {
    const run = testRun();
    await build(
      orderWith([`FROM ${shellImage}`, `RUN ${MOUNT} busybox sha256sum < /run/secrets/NPM_TOKEN`], {
        dockerfileApart: true,
      }),
      run,
    );
    assert.match(run.text(), new RegExp(HASH));
  });

  it("are refused for the classic builder, with the reason and the remedy", async () => {
    const classic = yard.builder({ installation: "classic" });
    await assert.rejects(classic.build(orderWith([`FROM ${shellImage}`]), testRun()), {
      name: "Refused",
      code: "secrets-need-buildkit",
      message: /^artifacts\.app\.secrets: only BuildKit .* ask the administrator/,
    });
  });

  /** Where the canary is: in the log, the frozen image and its history, and all files of the engine. */
  async function placesOf({ digest }: Frozen, log: string): Promise<string[]> {
    const places = log.includes(CANARY) ? ["log"] : [];
    const manifest = await yard.store.manifest(digest);
    for (const [index, blob] of manifest.blobs.entries()) {
      const bytes = await readBlob(blob.digest);
      const plain = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
      // The first one is the configuration, which holds the history.
      if (plain.includes(CANARY)) places.push(`${index === 0 ? "config" : "layer"} ${blob.digest}`);
    }
    const { DockerRootDir } = await yard.engine.docker.info();
    for (const entry of await readdir(DockerRootDir, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && (await fileHolds(path))) places.push(`engine ${path}`);
    }
    return places;
  }

  async function readBlob(digest: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of yard.store.open(digest)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
});

async function fileHolds(path: string): Promise<boolean> {
  let before = "";
  for await (const chunk of createReadStream(path, "latin1")) {
    if ((before + chunk).includes(CANARY)) return true;
    before = chunk.slice(-CANARY.length);
  }
  return false;
}
