import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError, Refused, TransientError, UserError } from "../../../src/delivery/errors.ts";
import { printable } from "../../../src/delivery/printable.ts";

describe("text from outside made printable", () => {
  it("keeps its letters, line ends and tabs, and shows as escapes what steers a terminal or turns text around", () => {
    assert.equal(printable("a\tb\nÜ 🜁"), "a\tb\nÜ 🜁");
    assert.equal(
      printable("\u001b[31m\r\u0007\u009b\u202e\u2066\u2028"),
      "\\u001b[31m\\u000d\\u0007\\u009b\\u202e\\u2066\\u2028",
    );
  });

  it("stands in the message of every expected failure, whoever quotes it there", () => {
    for (const Kind of [UserError, Refused, TransientError, ConfigError])
      assert.equal(new Kind("code", "found \u001b[31m\u202e\nhere").message, "found \\u001b[31m\\u202e\nhere");
  });

  it("means the same as before where it is JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (value, text) => {
        const whole = { value, text: `${text}\u009b\u202e` };
        const json = printable(JSON.stringify(whole));
        assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(whole)));
        assert.doesNotMatch(json, /\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});
