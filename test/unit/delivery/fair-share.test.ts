import assert from "node:assert/strict";
import fc from "fast-check";
import { freshFirst, mayStart, type RunningWork } from "../../../src/delivery/fair-share.ts";

describe("the scheduler of new and failed work", () => {
  it("gives new work the first places, and every fourth place to work that failed before", () => {
    assert.deepEqual(freshFirst(["a", "b", "c", "d"], ["x", "y"], 5), ["a", "b", "c", "x", "d"]);
    assert.deepEqual(freshFirst([], ["x", "y"], 5), ["x", "y"]);
    assert.deepEqual(freshFirst(["a", "b"], ["b", "a"], 5), ["a", "b"]);
    assert.deepEqual(freshFirst(["a"], ["x"], 1, 3), ["x"]);
  });

  it("takes each item once, and neither list blocks the other", () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(200), fc.integer({ min: 1, max: 50 }), (news, olds, limit) => {
        const fresh = Array.from({ length: news }, (_none, index) => `new ${index}`);
        const again = Array.from({ length: olds }, (_none, index) => `old ${index}`);
        const chosen = freshFirst(fresh, again, limit);
        assert.equal(chosen.length, Math.min(limit, news + olds));
        assert.equal(new Set(chosen).size, chosen.length);
        if (news > 0) assert.equal(chosen[0], "new 0");
        if (olds > 0 && limit >= 4) assert.ok(chosen.includes("old 0"));
      }),
    );
  });

  const doing: fc.Arbitrary<RunningWork> = fc.record({
    repo: fc.constantFrom("a:1", "a:2", "b:1"),
    host: fc.constantFrom("a", "b"),
    hasFailed: fc.boolean(),
    isSlow: fc.boolean(),
  });

  it("leaves a place for new work while a repo, a host or all failed work hangs", () => {
    fc.assert(
      fc.property(fc.array(doing, { maxLength: 200 }), fc.integer({ min: 4, max: 16 }), (come, places) => {
        const running: RunningWork[] = [];
        for (const one of come) {
          const hanging = { ...one, repo: "a:1", host: "a", isSlow: true };
          if (running.length < places && mayStart(running, hanging, places)) running.push(hanging);
        }
        assert.ok(running.length < places);
        assert.ok(mayStart(running, { repo: "b:1", host: "b", hasFailed: false }, places));
      }),
    );
  });

  it("delays nothing while nothing is slow and nothing failed", () => {
    const quick = { repo: "a:1", host: "a", hasFailed: false, isSlow: false };
    assert.ok(
      mayStart(
        Array.from({ length: 7 }, () => quick),
        quick,
        8,
      ),
    );
  });
});
