import assert from "node:assert/strict";
import fc from "fast-check";
import { dueShare, nextLook, repoInterval } from "../../../src/delivery/sweeping.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("looking unasked", () => {
  it("comes back to a waiting commit after a minute, then ever more rarely, at least every half hour", () => {
    assert.equal(nextLook(0, 0), MINUTE);
    assert.equal(nextLook(0, HOUR), HOUR + 6 * MINUTE);
    assert.equal(nextLook(0, 24 * HOUR), 24 * HOUR + 30 * MINUTE);
  });

  it("asks active repos every minute, a few idle ones too, and many at least once an hour", () => {
    assert.equal(repoInterval(true, 5_000), MINUTE);
    assert.equal(repoInterval(false, 3), MINUTE);
    assert.equal(repoInterval(false, 300), 30 * MINUTE);
    assert.equal(repoInterval(false, 5_000), HOUR);
  });

  it("is not bounded where the host tells no limit, or the limit is whole again", () => {
    assert.equal(dueShare(null, 0, 7), Number.POSITIVE_INFINITY);
    assert.equal(dueShare({ remaining: 0, resetsAt: 5 }, 5, 7), Number.POSITIVE_INFINITY);
  });

  it("never spends more than a third of what the host would take, however often it looks", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 1, max: 600 }), (limit, rounds) => {
        let spent = 0;
        for (let round = 0; round < rounds; round++) {
          const now = (round * HOUR) / rounds;
          const share = dueShare({ remaining: limit - spent, resetsAt: HOUR }, now, spent);
          spent += Math.max(0, Math.floor(share));
        }
        assert.ok(spent <= limit / 3);
      }),
    );
  });
});
