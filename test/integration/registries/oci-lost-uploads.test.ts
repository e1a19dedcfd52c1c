import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { Frozen } from "../../../src/delivery/frozen.ts";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { freezeImage } from "../../support/fixtures/images.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { useScriptedOci } from "../../support/registries/scripted-oci.ts";
import { type Asked, error, type Reply } from "../../support/registries/scripted-registry.ts";

const NAME: ArtifactName = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };
const sendsBlob = ({ method, path }: Asked) => method === "PUT" && path.includes("/blobs/uploads/");
const putsName = ({ method, path }: Asked) => method === "PUT" && path.endsWith("/manifests/1.0.0");

describe("an upload that a registry loses", () => {
  const oci = useScriptedOci();
  let image: Frozen;
  beforeEach(async () => {
    image = await freezeImage(oci.store);
  });
  const publish = () => oci.open().publish(image, NAME, testRun());
  const isWhole = async () =>
    (await oci.store.contentOf(image.digest)).blobs.every(({ digest }) => oci.server.blobs.has(`acme/a@${digest}`));
  /** Answers the first of these requests in this way, and does nothing of it. */
  const once = (which: (asked: Asked) => boolean, reply: Reply) => {
    let isFirst = true;
    oci.server.quirk = (asked, act) => {
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
      assert.equal(
        oci.server.asked.filter(sendsBlob).length,
        (await oci.store.contentOf(image.digest)).blobs.length + 1,
      );
    });
  }

  it("is tried again later where that happens each time, and is no refusal", async () => {
    for (const reply of [error(400, "DIGEST_INVALID"), { status: 404 }]) {
      oci.server.quirk = (asked, act) => (sendsBlob(asked) ? reply : act());
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
      oci.server.quirk = (asked, act) => {
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
    it(`does not matter if the image exists and every write is answered ${status}: nothing is written`, async () => {
      await publish();
      oci.server.asked.length = 0;
      oci.server.quirk = (asked, act) => (["GET", "HEAD"].includes(asked.method) ? act() : error(status, "X", "WORM"));
      assert.equal((await publish()).digest, image.digest);
      assert.ok(oci.server.asked.every(({ method }) => method === "GET" || method === "HEAD"));
    });
  }
});
