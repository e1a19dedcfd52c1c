import assert from "node:assert/strict";
import type { Frozen } from "../../../src/delivery/frozen.ts";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { freezeImage, freezeIndex } from "../../support/fixtures/images.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { useScriptedOci } from "../../support/registries/scripted-oci.ts";
import { type Asked, error, type Reply } from "../../support/registries/scripted-registry.ts";

const NAME: ArtifactName = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };
const isMount = ({ query }: Asked) => query.has("mount");

describe("an upload shortcut that a registry refuses", () => {
  const oci = useScriptedOci({ auth: true });
  let image: Frozen;
  beforeEach(async () => {
    image = await freezeImage(oci.store, { layers: [10, 20, 30] });
  });
  const open = () => oci.open({ holderOf: async () => "acme/source" });
  const publishes = async (registry = open()) => {
    await registry.publish(image, NAME, testRun());
    for (const { digest } of (await oci.store.contentOf(image.digest)).blobs) {
      assert.ok(oci.server.blobs.has(`${NAME.repository}@${digest}`), "its bytes are there");
    }
  };

  const mounts: Record<string, Reply> = {
    ...Object.fromEntries(
      [400, 401, 403, 404, 405, 409, 415, 422, 429, 500, 501, 503].map((status) => [
        `${status}`,
        error(status, "MOUNT_INVALID"),
      ]),
    ),
    "200 with a page": { status: 200, headers: { "Content-Type": "text/html" }, body: "<html></html>" },
    "202 without a place": { status: 202 },
    "a redirect": { status: 307, headers: { Location: "http://127.0.0.1:1/" } },
    "204": { status: 204 },
  };
  for (const [title, reply] of Object.entries(mounts)) {
    it(`sends the bytes where a mount is answered with ${title}`, async () => {
      oci.server.quirk = (asked, act) => (isMount(asked) ? reply : act());
      await publishes();
    });
  }

  it("asks once for a mount that is refused, and not for each blob of each image", async () => {
    oci.server.quirk = (asked, act) => (isMount(asked) ? error(403, "DENIED") : act());
    const registry = open();
    await publishes(registry);
    const first = oci.server.asked.filter(isMount).length;
    assert.ok(first > 0 && first <= 5, "those that were under way at once");
    image = await freezeImage(oci.store);
    await registry.publish(image, { ...NAME, tag: "2.0.0" }, testRun());
    assert.equal(oci.server.asked.filter(isMount).length, first);
  });

  it("sends the bytes if it gets no token for the other repository", async () => {
    oci.server.quirk = (asked, act) => {
      const isOther = asked.path === "/token" && asked.query.getAll("scope").some((scope) => scope.includes("source"));
      return isOther ? error(403, "DENIED") : act();
    };
    await publishes();
  });

  it("sends the bytes if a mount was confirmed but not done", async () => {
    oci.server.quirk = (asked, act) => (isMount(asked) ? { status: 201 } : act());
    await publishes();
  });

  it("counts a blob as sent if the registry refuses it because it exists", async () => {
    oci.server.quirk = (asked, act) => {
      const honest = act();
      const isSent = asked.method === "PUT" && asked.path.includes("/uploads/");
      return isSent && honest.status === 201 ? error(409, "BLOB_EXISTS") : honest;
    };
    await publishes();
  });
});

describe("an image of which the registry lost a part", () => {
  const oci = useScriptedOci();

  /** Every part of an index of two images, by what the registry calls it. */
  const partsOf = async (content: Frozen) => {
    const { blobs, manifests } = await oci.store.contentOf(content.digest);
    return [
      ...blobs.map(({ digest }, number) => ({
        what: `blob ${number}`,
        remove: () => oci.server.blobs.delete(`acme/a@${digest}`),
      })),
      ...manifests.slice(0, -1).map(({ digest }, number) => ({
        ...{ what: `manifest ${number}`, remove: () => oci.server.manifests.delete(`acme/a:${digest}`) },
      })),
    ];
  };

  it("counts as missing, and is complete after the next publication", async () => {
    const registry = oci.open();
    const content = await freezeIndex(oci.store, [
      await freezeImage(oci.store),
      await freezeImage(oci.store, { family: "oci" }),
    ]);
    await registry.publish(content, NAME, testRun());
    const parts = await partsOf(content);
    assert.equal(parts.length, 8);
    for (const { what, remove } of parts) {
      assert.ok(remove(), what);
      assert.equal(await registry.find(NAME, testRun(), content), null, what);
      await registry.publish(content, NAME, testRun());
      assert.deepEqual(await registry.find(NAME, testRun(), content), { digest: content.digest }, what);
    }
  });

  it("is sent again by a second name too, where the registry had kept the manifest alone", async () => {
    const image = await freezeImage(oci.store);
    await oci.open().publish(image, NAME, testRun());
    oci.server.blobs.clear();
    // A registry that looks into no manifest.
    oci.server.quirk = (asked, act) => {
      const isName = asked.method === "PUT" && asked.path.endsWith("/manifests/2.0.0");
      if (isName) oci.server.manifests.set("acme/a:2.0.0", { type: image.mediaType, bytes: asked.body });
      return isName ? { status: 201 } : act();
    };
    await oci.open().publish(image, { ...NAME, tag: "2.0.0" }, testRun());
    assert.equal(oci.server.blobs.size, (await oci.store.contentOf(image.digest)).blobs.length);
  });

  it("of another content is not overwritten", async () => {
    const [image, other] = [await freezeImage(oci.store), await freezeImage(oci.store)];
    await oci.open().publish(other, NAME, testRun());
    oci.server.blobs.clear();
    assert.deepEqual(await oci.open().find(NAME, testRun(), image), { digest: other.digest });
    await assert.rejects(oci.open().publish(image, NAME, testRun()), { code: "name-taken" });
  });

  it("is checked once by each run, however many names and images share its parts", async () => {
    const registry = oci.open();
    const image = await freezeImage(oci.store, { layers: [1, 2, 3, 4, 5, 6] });
    const index = await freezeIndex(oci.store, [image]);
    const names = ["1.0.0", "1.0", "1", "latest"].map((tag) => ({ ...NAME, tag }));
    for (const name of names) await registry.publish(image, name, testRun());
    await registry.publish(index, { ...NAME, tag: "2.0.0" }, testRun());
    oci.server.asked.length = 0;
    const round = testRun();
    for (const name of names) assert.ok(await registry.find(name, round, image));
    assert.ok(await registry.find({ ...NAME, tag: "2.0.0" }, round, index));
    assert.equal(oci.server.asked.filter(({ path }) => path.includes("/blobs/")).length, 7);
    assert.equal(oci.server.asked.filter(({ method }) => method === "GET").length, 2, "the image and the index");
  });
});
