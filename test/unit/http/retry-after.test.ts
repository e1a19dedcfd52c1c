import assert from "node:assert/strict";
import fc from "fast-check";
import { parseRetryAfter } from "../../../src/http/retry-after.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const HOUR = 60 * 60_000;

describe("Parsing Retry-After", () => {
  const cases: [string | number | null | undefined, number | null][] = [
    ["7", 7_000],
    [7, 7_000],
    [" 7 ", 7_000],
    ["0", 0],
    ["1.5", 1_500],
    ["Fri, 02 Jan 2026 03:04:35 GMT", 30_000],
    ["Friday, 02-Jan-26 03:04:35 GMT", 30_000],
    ["Fri Jan  2 03:04:35 2026 GMT", 30_000],
    ["Fri, 02 Jan 2026 03:04:00 GMT", 0],
    ["978307200", HOUR],
    ["99999999999999999999999999", HOUR],
    [1e300, HOUR],
    [Number.POSITIVE_INFINITY, null],
    [Number.NaN, null],
    ["Sun, 02 Jan 2057 03:04:05 GMT", HOUR],
    ["-5", null],
    [-5, null],
    ["", null],
    ["soon", null],
    ["7 seconds", null],
    ["2026-01-02", null],
    ["0x10", null],
    [null, null],
    [undefined, null],
  ];
  for (const [value, ms] of cases) {
    it(`reads ${JSON.stringify(value) ?? value} as ${ms} ms`, () => assert.equal(parseRetryAfter(value, NOW), ms));
  }

  it("gives null or 0 ms to one hour, whatever the value is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double(), fc.date().map(String)), (value) => {
        const ms = parseRetryAfter(value, NOW);
        assert.ok(ms === null || (ms >= 0 && ms <= HOUR));
      }),
    );
  });
});
