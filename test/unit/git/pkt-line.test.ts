import assert from "node:assert/strict";
import fc from "fast-check";
import { DELIMITER, FLUSH, frame, RESPONSE_END, Unframed, unframe } from "../../../src/git/pkt-line.ts";

const bytes = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data));
/** A flush ends a message, so in its middle there is none. */
const middle = fc.array(fc.oneof(bytes, fc.constantFrom(DELIMITER, RESPONSE_END)), { maxLength: 12 });

describe("Packets of git's protocol", () => {
  it("are what they were when they have been framed and unframed", () => {
    fc.assert(
      fc.property(middle, (packets) => {
        assert.deepEqual([...unframe(frame([...packets, FLUSH]))], [...packets, FLUSH]);
      }),
    );
  });

  it("are known to be cut, wherever that is", () => {
    fc.assert(
      fc.property(middle, fc.nat(), (packets, at) => {
        const message = frame([...packets, FLUSH]);
        assert.throws(() => [...unframe(message.subarray(0, at % message.length))], Unframed);
      }),
    );
  });

  it("are handed out whole or not at all", () => {
    assert.throws(() => unframe(Buffer.from("000bfoo")).next(), Unframed);
  });

  it("count themselves in four hex digits, as the specification's examples do", () => {
    const message = frame([Buffer.from("a\n"), Buffer.from("foobar\n"), DELIMITER, Buffer.from(""), FLUSH]);
    assert.equal(message.toString(), "0006a\n000bfoobar\n000100040000");
  });

  it("hold 65516 bytes, and not one more", () => {
    const largest = Buffer.alloc(65_516, "x");
    assert.deepEqual([...unframe(frame([largest, FLUSH]))], [largest, FLUSH]);
    assert.throws(() => frame([Buffer.alloc(65_517)]), RangeError);
    assert.throws(() => [...unframe(Buffer.from(`fff1${"x".repeat(65_517)}0000`))], Unframed);
  });

  for (const message of ["", "0003", "00 4", "-001", "+005a0000", "0x05a0000", "000gfoobar\n0000", "<html></html>"]) {
    it(`are none in ${JSON.stringify(message)}`, () => {
      assert.throws(() => [...unframe(Buffer.from(message))], Unframed);
    });
  }
});
