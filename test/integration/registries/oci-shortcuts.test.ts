import assert from "node:assert/strict";
import type { Frozen } from "../../../src/builders/builder.ts";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { ociRegistry } from "../../../src/registries/oci/registry.ts";
import { Store } from "../../../src/store/store.ts";
import {
  type Asked,
  type CrookedRegistry,
  error,
  LOGIN,
  type Reply,
  startCrookedRegistry,
} from "../../support/crooked-registry.ts";
import { freezeImage, freezeIndex } from "../../support/image-content.ts";
import { tempDir } from "../../support/process.ts";
import { testRun } from "../../support/run.ts";

const NAME: ArtifactName = { registry: "local", repository: "acme/a", tag: "1.0.0", immutable: true };
const isMount = ({ query }: Asked) => query.has("mount");

describe("a shortcut that a registry does not give", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let store: Store;
  let server: CrookedRegistry;
  let image: Frozen;
  before(async () => {
    dir = await tempDir();
    store = new Store(dir.path);
  });
  beforeEach(async () => {
    server = await startCrookedRegistry({ auth: true });
    image = await freezeImage(store, { layers: [10, 20, 30] });
  });
  afterEach(() => server.stop());
  after(() => dir.remove());
  const open = (holder = "acme/source") =>
    ociRegistry("local", { url: server.url, ...LOGIN }, { store, holderOf: async () => holder });
  const publishes = async (registry = open()) => {
    await registry.publish(image, NAME, testRun());
    for (const { digest } of (await store.contentOf(image.digest)).blobs) {
      assert.ok(server.blobs.has(`${NAME.repository}@${digest}`), "its bytes are there");
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
      server.quirk = (asked, act) => (isMount(asked) ? reply : act());
      await publishes();
    });
  }

  it("asks once for a mount that is refused, and not for each blob of each image", async () => {
    server.quirk = (asked, act) => (isMount(asked) ? error(403, "DENIED") : act());
    const registry = open();
    await publishes(registry);
    const first = server.asked.filter(isMount).length;
    assert.ok(first > 0 && first <= 5, "those that were under way at once");
    image = await freezeImage(store);
    await registry.publish(image, { ...NAME, tag: "2.0.0" }, testRun());
    assert.equal(server.asked.filter(isMount).length, first);
  });

  it("sends the bytes where no token is given for the other repository", async () => {
    server.quirk = (asked, act) => {
      const isOther = asked.path === "/token" && asked.query.getAll("scope").some((scope) => scope.includes("source"));
      return isOther ? error(403, "DENIED") : act();
    };
    await publishes();
  });

  it("sends the bytes where a mount was said to be done, and was not", async () => {
    server.quirk = (asked, act) => (isMount(asked) ? { status: 201 } : act());
    await publishes();
  });

  it("takes a blob as sent whose sending was refused since it is there", async () => {
    server.quirk = (asked, act) => {
      const honest = act();
      const isSent = asked.method === "PUT" && asked.path.includes("/uploads/");
      return isSent && honest.status === 201 ? error(409, "BLOB_EXISTS") : honest;
    };
    await publishes();
  });
});

describe("an image of which a part is gone", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let store: Store;
  let server: CrookedRegistry;
  before(async () => {
    dir = await tempDir();
    store = new Store(dir.path);
  });
  beforeEach(async () => {
    server = await startCrookedRegistry();
  });
  afterEach(() => server.stop());
  after(() => dir.remove());
  const open = () => ociRegistry("local", { url: server.url }, { store });

  /** Every part of an index of two images, by what the registry calls it. */
  const partsOf = async (content: Frozen) => {
    const { blobs, manifests } = await store.contentOf(content.digest);
    return [
      ...blobs.map(({ digest }, number) => ({
        what: `blob ${number}`,
        remove: () => server.blobs.delete(`acme/a@${digest}`),
      })),
      ...manifests.slice(0, -1).map(({ digest }, number) => ({
        ...{ what: `manifest ${number}`, remove: () => server.manifests.delete(`acme/a:${digest}`) },
      })),
    ];
  };

  it("is not there, and comes back as a whole with the next publication", async () => {
    const registry = open();
    const content = await freezeIndex(store, [await freezeImage(store), await freezeImage(store, { family: "oci" })]);
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
    const image = await freezeImage(store);
    await open().publish(image, NAME, testRun());
    server.blobs.clear();
    // A registry that looks into no manifest.
    server.quirk = (asked, act) => {
      const isName = asked.method === "PUT" && asked.path.endsWith("/manifests/2.0.0");
      if (isName) server.manifests.set("acme/a:2.0.0", { type: image.mediaType, bytes: asked.body });
      return isName ? { status: 201 } : act();
    };
    await open().publish(image, { ...NAME, tag: "2.0.0" }, testRun());
    assert.equal(server.blobs.size, (await store.contentOf(image.digest)).blobs.length);
  });

  it("of another content is that content: nothing is put in its place", async () => {
    const [image, other] = [await freezeImage(store), await freezeImage(store)];
    await open().publish(other, NAME, testRun());
    server.blobs.clear();
    assert.deepEqual(await open().find(NAME, testRun(), image), { digest: other.digest });
    await assert.rejects(open().publish(image, NAME, testRun()), { code: "name-taken" });
  });

  it("is asked for by each run once, however many names and images share its parts", async () => {
    const registry = open();
    const image = await freezeImage(store, { layers: [1, 2, 3, 4, 5, 6] });
    const index = await freezeIndex(store, [image]);
    const names = ["1.0.0", "1.0", "1", "latest"].map((tag) => ({ ...NAME, tag }));
    for (const name of names) await registry.publish(image, name, testRun());
    await registry.publish(index, { ...NAME, tag: "2.0.0" }, testRun());
    server.asked.length = 0;
    const round = testRun();
    for (const name of names) assert.ok(await registry.find(name, round, image));
    assert.ok(await registry.find({ ...NAME, tag: "2.0.0" }, round, index));
    assert.equal(server.asked.filter(({ path }) => path.includes("/blobs/")).length, 7);
    assert.equal(server.asked.filter(({ method }) => method === "GET").length, 2, "the image and the index");
  });
});
