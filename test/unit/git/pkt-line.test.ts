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
/** A flush ends a message, so in its middle there is none. */
const middle = fc.array(fc.oneof(bytes, fc.constantFrom(DELIMITER, RESPONSE_END)), { maxLength: 12 });

describe("Packets of git's protocol", () => {
  it("are what they were when they have been framed and decodePacketsd", () => {
    fc.assert(
      fc.property(middle, (packets) => {
        assert.deepEqual([...decodePackets(encodePackets([...packets, FLUSH]))], [...packets, FLUSH]);
      }),
    );
  });

  it("are known to be cut, wherever that is", () => {
    fc.assert(
      fc.property(middle, fc.nat(), (packets, at) => {
        const message = encodePackets([...packets, FLUSH]);
        assert.throws(() => [...decodePackets(message.subarray(0, at % message.length))], MalformedPackets);
      }),
    );
  });

  it("are handed out whole or not at all", () => {
    assert.throws(() => decodePackets(Buffer.from("000bfoo")).next(), MalformedPackets);
  });

  it("count themselves in four hex digits, as the specification's examples do", () => {
    const message = encodePackets([Buffer.from("a\n"), Buffer.from("foobar\n"), DELIMITER, Buffer.from(""), FLUSH]);
    assert.equal(message.toString(), "0006a\n000bfoobar\n000100040000");
  });

  it("hold 65516 bytes, and not one more", () => {
    const largest = Buffer.alloc(65_516, "x");
    assert.deepEqual([...decodePackets(encodePackets([largest, FLUSH]))], [largest, FLUSH]);
    assert.throws(() => encodePackets([Buffer.alloc(65_517)]), RangeError);
    assert.throws(() => [...decodePackets(Buffer.from(`fff1${"x".repeat(65_517)}0000`))], MalformedPackets);
  });

  for (const message of ["", "0003", "00 4", "-001", "+005a0000", "0x05a0000", "000gfoobar\n0000", "<html></html>"]) {
    it(`are none in ${JSON.stringify(message)}`, () => {
      assert.throws(() => [...decodePackets(Buffer.from(message))], MalformedPackets);
    });
  }
});
