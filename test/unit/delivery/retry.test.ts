import assert from "node:assert/strict";
import fc from "fast-check";
import { backOff } from "../../../src/delivery/retry.ts";

describe("the wait before the next try", () => {
  it("doubles from 2 s to 5 min, half of it by chance", () => {
    assert.deepEqual(
      [1, 2, 3, 8, 9, 50].map((attempt) => backOff(attempt, 0, null)),
      [1_000, 2_000, 4_000, 128_000, 150_000, 150_000],
    );
    assert.deepEqual(
      [1, 2, 8, 9, 50].map((attempt) => backOff(attempt, 0.999_999, null)),
      [2_000, 4_000, 256_000, 300_000, 300_000],
    );
  });

  it("is never shorter than the other side asked, nor longer than 5 min unless it asked for more", () => {
    const attempt = fc.integer({ min: 1, max: 10_000 });
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    const asked = fc.option(fc.nat(10_000_000));
    fc.assert(
      fc.property(attempt, chance, asked, (n, luck, wait) => {
        const ms = backOff(n, luck, wait);
        assert.ok(Number.isInteger(ms) && ms >= 1_000 && ms >= (wait ?? 0));
        assert.ok(ms <= Math.max(300_000, wait ?? 0));
      }),
    );
  });
});
