import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { Source } from "../../../src/registries/protocols/files/shelf.ts";
import { readTarball } from "../../../src/registries/protocols/files/tarball.ts";
import { readZipEntry } from "../../../src/registries/protocols/files/zip.ts";
import { jar } from "../../support/packages.ts";

function sourceOf(bytes: Buffer): Source {
  return {
    length: bytes.length,
    open: ({ start = 0, end = bytes.length - 1 } = {}) => Readable.from([bytes.subarray(start, end + 1)]),
  };
}

async function tarball(...entries: [string, string][]): Promise<Source> {
  const tar = pack();
  for (const [name, text] of entries) tar.entry({ name }, text);
  tar.finalize();
  return sourceOf(gzipSync(await buffer(tar)));
}

describe("an archive that a build made", () => {
  it("gives of its entries those that are wanted, the first of each name", async () => {
    const source = await tarball(["a", "first"], ["b", "other"], ["a", "second"]);
    const found = await readTarball(source, (name) => name === "a", 100);
    assert.deepEqual(
      [...found].map(([name, bytes]) => [name, String(bytes)]),
      [["a", "first"]],
    );
  });

  it("fills no memory, however much of it would be wanted", async () => {
    const source = await tarball(["1", "x".repeat(60)], ["2", "y".repeat(60)], ["3", "z".repeat(40)]);
    assert.deepEqual([...(await readTarball(source, () => true, 100)).keys()], ["1", "3"]);
  });

  it("that is none says so", async () => {
    await assert.rejects(readTarball(sourceOf(Buffer.from("no tarball")), () => true, 100));
    assert.equal(await readZipEntry(sourceOf(Buffer.from("no zip")), () => true, 100), null);
  });

  it("gives one entry of a zip, where it is small enough", async () => {
    const source = sourceOf(await jar({ "a.txt": "hello", "b.txt": "x".repeat(200) }));
    assert.equal(String(await readZipEntry(source, (name) => name === "a.txt", 100)), "hello");
    assert.equal(await readZipEntry(source, (name) => name === "b.txt", 100), null);
    assert.equal(await readZipEntry(source, (name) => name === "c.txt", 100), null);
  });

  it("that is damaged has no entry, and one that cannot be read is another matter", async () => {
    const bytes = await jar({ "a.txt": "hello".repeat(100) });
    const at = bytes.indexOf("a.txt") + "a.txt".length;
    const damaged = Buffer.from(bytes).fill(0xff, at, at + 5);
    assert.equal(await readZipEntry(sourceOf(damaged), (name) => name === "a.txt", 1000), null);
    const gone: Source = {
      length: bytes.length,
      open: () =>
        new Readable({
          read() {
            this.destroy(Object.assign(new Error("gone"), { code: "ENOENT", syscall: "open" }));
          },
        }),
    };
    await assert.rejects(
      readZipEntry(gone, () => true, 1000),
      { code: "ENOENT" },
    );
  });
});
