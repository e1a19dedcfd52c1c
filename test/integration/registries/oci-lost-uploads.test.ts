import assert from "node:assert/strict";
import type { Frozen } from "../../../src/builders/builder.ts";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { ociRegistry } from "../../../src/registries/oci/registry.ts";
import { Store } from "../../../src/store/store.ts";
import {
  type Asked,
  type CrookedRegistry,
  error,
  type Reply,
  startCrookedRegistry,
} from "../../support/crooked-registry.ts";
import { freezeImage } from "../../support/image-content.ts";
import { tempDir } from "../../support/process.ts";
import { testRun } from "../../support/run.ts";

const NAME: ArtifactName = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };
const sendsBlob = ({ method, path }: Asked) => method === "PUT" && path.includes("/blobs/uploads/");
const putsName = ({ method, path }: Asked) => method === "PUT" && path.endsWith("/manifests/1.0.0");

describe("an upload that a registry loses", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let store: Store;
  let server: CrookedRegistry;
  let image: Frozen;
  before(async () => {
    dir = await tempDir();
    store = new Store(dir.path);
  });
  beforeEach(async () => {
    server = await startCrookedRegistry();
    image = await freezeImage(store);
  });
  afterEach(() => server.stop());
  after(() => dir.remove());
  const publish = () => ociRegistry("local", { url: server.url }, { store }).publish(image, NAME, testRun());
  const isWhole = async () =>
    (await store.contentOf(image.digest)).blobs.every(({ digest }) => server.blobs.has(`acme/a@${digest}`));
  /** Answers the first of these requests in this way, and does nothing of it. */
  const once = (which: (asked: Asked) => boolean, reply: Reply) => {
    let isFirst = true;
    server.quirk = (asked, act) => {
      if (!isFirst || !which(asked)) return act();
      isFirst = false;
      return reply;
    };
  };

  const losses: [title: string, reply: Reply][] = [
    ["a bare 416, as of a Range that is off by one", { status: 416, headers: { Range: "0-12" } }],
    // apple/containerization 790: Amazon ECR
    [
      "416 to a second start",
      error(416, "BLOB_UPLOAD_INVALID", "First byte of the layer part is 0 instead of 11304960"),
    ],
    // distribution/distribution 1698 and 2593
    [
      "an upload that was resumed at the wrong offset",
      error(400, "BLOB_UPLOAD_INVALID", "upload resumed at wrong offset"),
    ],
    ["an upload that it does not know", error(404, "BLOB_UPLOAD_UNKNOWN")],
    // regclient/regclient 323: Docker Hub
    ["a 404 of whatever stands before it", { status: 404, body: "Not Found" }],
    ["another digest", error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")],
    ["another size", error(400, "SIZE_INVALID")],
    ["another range", error(400, "RANGE_INVALID", "invalid content range")],
    // goharbor/harbor-helm 1833, goharbor/harbor 22836
    ["204 from a proxy that passed nothing on", { status: 204 }],
    ["202 as if more were to come", { status: 202, headers: { Range: "0-999" } }],
  ];
  for (const [title, reply] of losses) {
    it(`is begun anew, once, after ${title}`, async () => {
      once(sendsBlob, reply);
      await publish();
      assert.ok(await isWhole());
      assert.equal(server.asked.filter(sendsBlob).length, (await store.contentOf(image.digest)).blobs.length + 1);
    });
  }

  it("is tried again later where that happens each time, and is no refusal", async () => {
    for (const reply of [error(400, "DIGEST_INVALID"), { status: 404 }]) {
      server.quirk = (asked, act) => (sendsBlob(asked) ? reply : act());
      await assert.rejects(publish(), (failure) => {
        assert.ok(failure instanceof TransientError);
        assert.equal(failure.code, "registry-upload-lost");
        return true;
      });
    }
  });

  for (const code of ["BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", ""]) {
    it(`is sent again where its manifest is answered 404 ${code}`, async () => {
      let lost = 0;
      server.quirk = (asked, act) => {
        if (sendsBlob(asked) && lost++ === 0) return { status: 204 };
        const honest = act();
        return putsName(asked) && honest.status === 400 ? error(404, code, "blob unknown to registry") : honest;
      };
      await publish();
      assert.ok(await isWhole());
    });
  }

  // replicatedhq/kots 5940
  for (const status of [400, 403, 405, 409, 412, 423, 500]) {
    it(`is none where the image stands and every write is answered ${status}: nothing is written`, async () => {
      await publish();
      server.asked.length = 0;
      server.quirk = (asked, act) => (["GET", "HEAD"].includes(asked.method) ? act() : error(status, "X", "WORM"));
      assert.equal((await publish()).digest, image.digest);
      assert.ok(server.asked.every(({ method }) => method === "GET" || method === "HEAD"));
    });
  }
});
