import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import fc from "fast-check";
import { pack } from "tar-stream";
import { RangeFilter } from "../../../src/store/range-filter.ts";
import { tarSize, writeTar } from "../../../src/store/tar.ts";

const never = new AbortController().signal;
const name = fc.oneof(
  fc.stringMatching(/^[a-z0-9._-]{1,120}$/),
  fc.constantFrom("blobs/sha256/".padEnd(77, "a"), "größe.txt", `${"d".repeat(90)}/${"f".repeat(90)}`),
);
const files = fc.array(fc.record({ name, bytes: fc.uint8Array({ maxLength: 2_000 }) }), { maxLength: 5 });
type Files = { name: string; bytes: Uint8Array }[];

/** As the library writes it that everybody else reads with. */
async function theirs(entries: Files): Promise<Buffer> {
  const tar = pack();
  for (const { name, bytes } of entries) tar.entry({ name, mtime: new Date(0) }, Buffer.from(bytes));
  tar.finalize();
  return buffer(tar as unknown as Readable);
}

function entriesOf(entries: Files, opened: string[] = []) {
  return entries.map(({ name, bytes }) => ({
    name,
    size: bytes.length,
    bytes: async () => {
      opened.push(name);
      return Readable.from([Buffer.from(bytes)]);
    },
  }));
}

describe("a tar of frozen files", () => {
  it("equals the one that tar-stream writes, and has the announced size", async () => {
    await fc.assert(
      fc.asyncProperty(files, async (entries) => {
        const into = new PassThrough();
        const [bytes] = await Promise.all([buffer(into), writeTar(into, never, entriesOf(entries))]);
        assert.ok(bytes.equals(await theirs(entries)));
        assert.equal(await tarSize(entriesOf(entries)), bytes.length);
      }),
      { numRuns: 60 },
    );
  });

  it("gives any byte range, and opens only the entries in that range", async () => {
    await fc.assert(
      fc.asyncProperty(files, fc.nat(), fc.nat(), async (entries, one, other) => {
        const whole = await theirs(entries);
        const [start = 0, end = 0] = [one % whole.length, other % whole.length].sort((a, b) => a - b);
        const opened: string[] = [];
        const part = new RangeFilter(
          () => ({ start, end }),
          (range, size) => assert.deepEqual([range, size], [{ start, end }, whole.length]),
        );
        const [bytes] = await Promise.all([buffer(part), writeTar(part, never, entriesOf(entries, opened))]);
        assert.ok(bytes.equals(whole.subarray(start, end + 1)));
        assert.ok(opened.length <= Math.ceil((end - start + 1) / 1024) + 1, `${opened.length} of ${entries.length}`);
      }),
      { numRuns: 100 },
    );
  });

  it("of which a part is wanted is cut as it comes by whoever writes the whole", async () => {
    const part = new RangeFilter(
      () => ({ start: 3, end: 5 }),
      () => {},
    );
    part.expect(10);
    const [bytes] = await Promise.all([
      buffer(part),
      pipeline(Readable.from(["01", "234", "5678", "9"].map((each) => Buffer.from(each))), part),
    ]);
    assert.equal(bytes.toString(), "345");
  });
});
