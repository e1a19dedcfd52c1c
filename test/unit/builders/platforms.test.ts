import assert from "node:assert/strict";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buildPlatforms } from "../../../src/builders/image/platforms.ts";
import { OCI_MANIFEST } from "../../../src/store/manifest.ts";
import { Store } from "../../../src/store/store.ts";
import { orderOf } from "../../support/engine/image-builds.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

describe("Images of one order for several platforms", () => {
  let dir: TempDir;
  let store: Store;
  before(async () => {
    dir = await tempDir();
    store = new Store(join(dir.path, "store"));
  });
  after(() => dir.remove());

  const order = orderOf(
    { Dockerfile: "FROM scratch\n" },
    { id: "d1-1-0-app", artifact: artifactPlan({ platforms: ["linux/arm64", "linux/amd64"] }) },
  );

  async function write(content: object) {
    const bytes = Buffer.from(JSON.stringify(content));
    return store.write(Readable.from([bytes]), { maxBytes: bytes.length });
  }

  /** An engine whose images are all for this architecture; null: for the one that is asked for. */
  const engine =
    (fixed: string | null, asked: string[] = []) =>
    async ({ id, artifact }: typeof order) => {
      asked.push(`${id} ${artifact.platforms.join()}`);
      const architecture = fixed ?? artifact.platforms[0]?.split("/")[1];
      const config = {
        mediaType: "application/vnd.oci.image.config.v1+json",
        ...(await write({ os: "linux", architecture })),
      };
      const { digest, size } = await write({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] });
      const base = { reference: "node:24", digest: "sha256:1" };
      return { digest, size, mediaType: OCI_MANIFEST, bases: [base] };
    };

  it("are built under ids of their own, which begin with the order's, and name a common base once", async () => {
    const asked: string[] = [];
    const built = await buildPlatforms(store, order, testRun(), engine(null, asked));
    assert.deepEqual(asked, ["d1-1-0-app-linux-arm64 linux/arm64", "d1-1-0-app-linux-amd64 linux/amd64"]);
    assert.deepEqual(built.bases, [{ reference: "node:24", digest: "sha256:1" }]);
    assert.equal((await store.contentOf(built.digest)).manifests.length, 3);
  });

  it("are the user's failure if an engine takes a base for another platform (platform-differs)", async () => {
    await assert.rejects(buildPlatforms(store, order, testRun(), engine("amd64")), {
      name: "UserError",
      code: "platform-differs",
      message:
        /^artifacts\.api\.platforms: the image for linux\/arm64 came out as one for linux\/amd64: its base has no/,
    });
  });
});
