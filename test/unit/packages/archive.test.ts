import assert from "node:assert/strict";
import { Readable } from "node:stream";
import {
  type ArchiveEntry,
  atMostOne,
  readTarball,
  readZip,
  UnreadablePackage,
} from "../../../src/packages/archive.ts";
import { zipOf } from "../../support/fixtures/archives.ts";
import { sourceOf, tarOf } from "./sources.ts";

const texts = (entries: ArchiveEntry[]) => entries.map(({ path, bytes }) => [path, String(bytes)]);

describe("a package archive", () => {
  it("gives the wanted files in its own order, as zip or tar", async () => {
    const files: [string, string][] = [
      ["b", "first"],
      ["a", "other"],
      ["./c", "third"],
    ];
    const wanted = (path: string) => path !== "a";
    const expected = [
      ["b", "first"],
      ["c", "third"],
    ];
    assert.deepEqual(texts(await readTarball(await tarOf(...files), wanted)), expected);
    assert.deepEqual(texts(await readZip(sourceOf(zipOf(Object.fromEntries(files.slice(0, 2)))), wanted)), [
      ["b", "first"],
    ]);
  });

  it("says before it reads a file how large that is", async () => {
    const small = (_: string, size: number) => size < 100;
    assert.deepEqual(texts(await readTarball(await tarOf(["a", "x".repeat(100)], ["b", "y"]), small)), [["b", "y"]]);
    assert.deepEqual(texts(await readZip(sourceOf(zipOf({ a: "x".repeat(100), b: "y" })), small)), [["b", "y"]]);
  });

  it("with two files where one is allowed is reported as such", async () => {
    const two = await readTarball(await tarOf(["p/x", "1"], ["./p/x", "2"]), () => true);
    assert.throws(() => atMostOne(two), { message: "it holds p/x twice" });
    const other = await readTarball(await tarOf(["p/x", "1"], ["q/x", "2"]), () => true);
    assert.throws(() => atMostOne(other), { message: "it holds both p/x and q/x" });
    assert.equal(atMostOne([]), null);
  });

  it("that is damaged or no archive is reported as such", async () => {
    const zip = zipOf({ "a.txt": "hello".repeat(100) });
    const at = zip.indexOf("a.txt") + "a.txt".length;
    for (const bytes of [
      Buffer.from("nothing of the kind"),
      Buffer.alloc(0),
      Buffer.from(zip).fill(0xff, at, at + 5),
    ]) {
      await assert.rejects(
        readZip(sourceOf(bytes), () => true),
        UnreadablePackage,
      );
    }
    const whole = await tarOf(["a", "hello"]);
    for (const bytes of [Buffer.from("no tarball"), Buffer.alloc(0), whole.bytes.subarray(0, whole.length - 8)]) {
      await assert.rejects(
        readTarball(sourceOf(bytes), () => true),
        UnreadablePackage,
      );
    }
  });

  it("that cannot be read from the disk is reported as a disk error", async () => {
    const gone = {
      length: 100,
      open: () =>
        new Readable({
          read() {
            this.destroy(Object.assign(new Error("gone"), { code: "ENOENT", syscall: "open" }));
          },
        }),
    };
    for (const read of [readZip, readTarball]) {
      await assert.rejects(
        read(gone, () => true),
        { code: "ENOENT" },
      );
    }
  });
});
