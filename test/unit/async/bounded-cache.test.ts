import assert from "node:assert/strict";
import { BoundedCache } from "../../../src/async/bounded-cache.ts";

describe("A cache of a limited size and time", () => {
  let now = 0;
  const values = () => new BoundedCache<number>(2, 100, () => now);

  it("keeps a value until its time is over, counted from the last set", () => {
    const kept = values();
    kept.set("a", 1);
    now += 99;
    assert.equal(kept.get("a"), 1);
    kept.set("a", 2);
    now += 99;
    assert.equal(kept.get("a"), 2);
    now += 1;
    assert.equal(kept.get("a"), undefined);
  });

  it("evicts old values for newer ones", () => {
    const kept = values();
    for (const [key, value] of [
      ["a", 1],
      ["b", 2],
      ["a", 3],
      ["c", 4],
    ] as const)
      kept.set(key, value);
    assert.deepEqual([kept.get("a"), kept.get("b"), kept.get("c")], [3, undefined, 4]);
  });

  it("forgets a deleted value", () => {
    const kept = values();
    kept.set("a", 1);
    kept.delete("a");
    assert.equal(kept.get("a"), undefined);
  });
});
