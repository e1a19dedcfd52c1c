import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { Incoming } from "../../../src/store/incoming.ts";
import { readManifest } from "../../../src/store/manifest.ts";
import { Store } from "../../../src/store/store.ts";
import { freezeImage, freezeIndex, manyBytes } from "../../support/fixtures/images.ts";
import { tempDir, until } from "../../support/processes/process.ts";

const maxBytes = 10_000_000;

describe("The content store", () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let store: Store;
  beforeEach(async () => {
    dir = await tempDir();
    store = new Store(dir.path);
  });
  afterEach(() => dir.remove());
  const files = async (folder: string) => readdir(join(dir.path, folder)).catch(() => []);

  it("returns what was written, whole or in part, by its digest", async () => {
    const bytes = randomBytes(200_000);
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const written = await store.write(Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]), { maxBytes });
    assert.deepEqual(written, { digest, size: bytes.length });
    assert.equal(await store.size(digest), bytes.length);
    assert.deepEqual(await buffer(store.open(digest)), bytes);
    assert.deepEqual(await buffer(store.open(digest, { start: 10, end: 19 })), bytes.subarray(10, 20));
  });

  it("reports that it does not have a content", async () => {
    const digest = `sha256:${"0".repeat(64)}`;
    assert.equal(await store.has(digest), false);
    assert.equal(await store.size(digest), null);
    await assert.rejects(store.manifest(digest), { name: "TransientError", code: "content-gone" });
  });

  it("makes no path of an invalid digest", async () => {
    for (const text of ["sha256:../../etc/passwd", "../x", "", "sha256:", `sha256:${"A".repeat(64)}`, "sha512:00"]) {
      await assert.rejects(store.has(text), TypeError);
      assert.throws(() => store.open(text), TypeError);
    }
  });

  it("keeps nothing of content that differs from what was expected", async () => {
    const expect = `sha256:${"1".repeat(64)}`;
    await assert.rejects(store.write(Readable.from(["x"]), { expect, maxBytes }), { code: "digest-mismatch" });
    assert.deepEqual([await files("blobs/sha256"), await files("incoming")], [[], []]);
  });

  it("keeps nothing of content that is too large, and stops reading it", async () => {
    const source = manyBytes(50_000_000);
    await assert.rejects(store.write(source, { maxBytes: 3_000_000 }), { code: "content-too-large" });
    assert.ok(source.destroyed);
    assert.deepEqual([await files("blobs/sha256"), await files("incoming")], [[], []]);
  });

  it("keeps nothing of a source that breaks off", async () => {
    const source = Readable.from(
      (async function* () {
        yield Buffer.from("half");
        throw new Error("broken");
      })(),
    );
    await assert.rejects(store.write(source, { maxBytes }), { message: "broken" });
    assert.deepEqual([await files("blobs/sha256"), await files("incoming")], [[], []]);
  });

  it("accepts no more bytes of an upload that was discarded meanwhile (upload-ended)", async () => {
    const incoming = await Incoming.start(dir.path);
    let discarding: Promise<void> | undefined;
    const source = Readable.from(
      (async function* () {
        yield Buffer.from("half");
        discarding = incoming.discard();
        await discarding;
        yield Buffer.from("the rest");
      })(),
    );
    const ended = incoming.append(source, () => {});
    await assert.rejects(ended, { name: "TransientError", code: "upload-ended" });
    await discarding;
    assert.deepEqual(await files("."), []);
  });

  it("accepts the same content from several writers at once", async () => {
    const bytes = randomBytes(300_000);
    const all = await Promise.all(Array.from({ length: 8 }, () => store.write(Readable.from([bytes]), { maxBytes })));
    assert.equal(new Set(all.map(({ digest }) => digest)).size, 1);
    assert.equal((await files("blobs/sha256")).length, 1);
    assert.deepEqual(await files("incoming"), []);
  });

  it("holds no partial content after its process was killed, and sweeps the remains", async () => {
    const script = `
      import { Readable } from "node:stream";
      import { Store } from "./src/store/store.ts";
      const endless = Readable.from((async function* () { for (;;) { yield Buffer.alloc(65536); await new Promise(setImmediate); } })());
      await new Store(process.argv[1]).write(endless, { maxBytes: Infinity });`;
    const child = spawn(process.execPath, ["--import=tsx", "--input-type=module", "-e", script, dir.path], {
      stdio: "inherit",
    });
    const exit = once(child, "exit");
    try {
      await until("it is receiving", async () => (await files("incoming")).length === 1);
    } finally {
      child.kill("SIGKILL");
      await exit;
    }
    assert.deepEqual(await files("blobs/sha256"), []);

    await store.removeAbandoned(Date.now() - 60_000);
    assert.equal((await files("incoming")).length, 1, "a young one may still be growing");
    const [left = ""] = await files("incoming");
    await utimes(join(dir.path, "incoming", left), 0, 0);
    await store.removeAbandoned(Date.now() - 60_000);
    assert.deepEqual(await files("incoming"), []);
  });

  it("lists the contents of an image", async () => {
    const image = await freezeImage(store, { layers: [10, 20, 30] });
    const content = await store.contentOf(image.digest);
    assert.deepEqual(
      content.manifests.map(({ digest }) => digest),
      [image.digest],
    );
    assert.equal(content.blobs.length, 4);
    assert.equal(content.size, image.size);
  });

  it("lists the contents of an index, images before their index, also if indexes are nested", async () => {
    const [one, two] = [await freezeImage(store, { family: "oci" }), await freezeImage(store, { family: "oci" })];
    const inner = await freezeIndex(store, [one, two]);
    const outer = await freezeIndex(store, [inner, two]);
    const { manifests, blobs } = await store.contentOf(outer.digest);
    assert.deepEqual(
      manifests.map(({ digest }) => digest),
      [one.digest, two.digest, inner.digest, outer.digest],
    );
    assert.equal(blobs.length, 6);
  });

  it("detects a manifest that was damaged on the disk", async () => {
    const image = await freezeImage(store);
    await writeFile(join(dir.path, "blobs", "sha256", image.digest.slice(7)), "{}");
    await assert.rejects(store.manifest(image.digest), { name: "TransientError", code: "content-damaged" });
  });

  it("stores any bytes under the digest of exactly these bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 }), async (chunks) => {
        const bytes = Buffer.concat(chunks);
        const source = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
        const { digest, size } = await store.write(source, { maxBytes });
        assert.equal(size, bytes.length);
        assert.deepEqual(await buffer(store.open(digest)), bytes);
      }),
      { numRuns: 40 },
    );
  });
});

describe("The reader of image manifests", () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const part = { mediaType: "x/y", digest, size: 1 };
  const image = { schemaVersion: 2, config: part, layers: [part] };
  const read = (document: unknown, type?: string) => readManifest(Buffer.from(JSON.stringify(document)), type);

  it("tells an image from an index if the document does not say which it is", () => {
    assert.equal(read(image).mediaType, "application/vnd.oci.image.manifest.v1+json");
    const index = read({ schemaVersion: 2, manifests: [part] });
    assert.equal(index.mediaType, "application/vnd.oci.image.index.v1+json");
  });

  it("names a blob once that is listed twice", () => {
    assert.equal(read(image).blobs.length, 1);
  });

  it("refuses a manifest that is ambiguous or unreadable", () => {
    for (const document of [
      { ...image, manifests: [part] },
      { ...image, mediaType: "application/vnd.oci.image.index.v1+json" },
      { schemaVersion: 1, config: part, layers: [] },
      { schemaVersion: 2 },
      { ...image, layers: [{ ...part, digest: "sha256:../../x" }] },
      { ...image, layers: [{ ...part, size: -1 }] },
      { ...image, layers: [{ ...part, size: 1.5 }] },
      null,
      [],
      "text",
    ]) {
      assert.throws(() => read(document), { name: "Refused", code: "manifest-invalid" });
    }
    assert.throws(() => readManifest(Buffer.from("{")), { code: "manifest-invalid" });
    assert.throws(() => read({ ...image, mediaType: "application/vnd.oci.image.manifest.v1+json" }, "text/html"), {
      code: "manifest-invalid",
    });
  });
});
