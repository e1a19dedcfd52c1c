import assert from "node:assert/strict";
import fc from "fast-check";
import {
  DELIMITER,
  decodePackets,
  encodePackets,
  FLUSH,
  MalformedPackets,
  RESPONSE_END,
} from "../../../src/git/pkt-line.ts";

const bytes = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data));
/** A flush ends a message, so there is none in its middle. */
const middle = fc.array(fc.oneof(bytes, fc.constantFrom(DELIMITER, RESPONSE_END)), { maxLength: 12 });

describe("Packets of git's protocol", () => {
  it("are the same after encoding and decoding", () => {
    fc.assert(
      fc.property(middle, (packets) => {
        assert.deepEqual([...decodePackets(encodePackets([...packets, FLUSH]))], [...packets, FLUSH]);
      }),
    );
  });

  it("are refused if the message is cut off, wherever that is", () => {
    fc.assert(
      fc.property(middle, fc.nat(), (packets, at) => {
        const message = encodePackets([...packets, FLUSH]);
        assert.throws(() => [...decodePackets(message.subarray(0, at % message.length))], MalformedPackets);
      }),
    );
  });

  it("are returned whole or not at all", () => {
    assert.throws(() => decodePackets(Buffer.from("000bfoo")).next(), MalformedPackets);
  });

  it("begin with their length in four hex digits, as in the examples of the specification", () => {
    const message = encodePackets([Buffer.from("a\n"), Buffer.from("foobar\n"), DELIMITER, Buffer.from(""), FLUSH]);
    assert.equal(message.toString(), "0006a\n000bfoobar\n000100040000");
  });

  it("hold at most 65516 bytes", () => {
    const largest = Buffer.alloc(65_516, "x");
    assert.deepEqual([...decodePackets(encodePackets([largest, FLUSH]))], [largest, FLUSH]);
    assert.throws(() => encodePackets([Buffer.alloc(65_517)]), RangeError);
    assert.throws(() => [...decodePackets(Buffer.from(`fff1${"x".repeat(65_517)}0000`))], MalformedPackets);
  });

  for (const message of ["", "0003", "00 4", "-001", "+005a0000", "0x05a0000", "000gfoobar\n0000", "<html></html>"]) {
    it(`are refused in ${JSON.stringify(message)}`, () => {
      assert.throws(() => [...decodePackets(Buffer.from(message))], MalformedPackets);
    });
  }
});
