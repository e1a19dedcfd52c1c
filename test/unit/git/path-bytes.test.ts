import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { decodePath, encodePath } from "../../../src/git/path-bytes.ts";

describe("a git path that is not UTF-8, as text", () => {
  it("is its UTF-8 where it is that, and never two names' text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => assert.equal(decodePath(Buffer.from(text)), text)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (array) => {
        const bytes = Buffer.from(array);
        assert.deepEqual(encodePath(decodePath(bytes)), bytes);
      }),
    );
  });

  it("is what Python's file systems make of it", () => {
    const samples = fc
      .sample(fc.uint8Array({ maxLength: 6 }), { numRuns: 500, seed: 7 })
      .map((each) => Buffer.from(each));
    const script =
      "import json,sys\nprint(json.dumps([bytes.fromhex(h).decode('utf8','surrogateescape') for h in json.load(sys.stdin)]))";
    const input = JSON.stringify(samples.map((each) => each.toString("hex")));
    const expected: unknown = JSON.parse(execFileSync("/usr/bin/python3", ["-c", script], { input, encoding: "utf8" }));
    assert.deepEqual(samples.map(decodePath), expected);
  });

  it("stays readable in a message", () => {
    assert.equal(JSON.stringify(decodePath(Buffer.from("gr\xff", "latin1"))), '"gr\\udcff"');
  });
});
