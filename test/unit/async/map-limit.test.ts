import assert from "node:assert/strict";
import { mapLimit } from "../../../src/async/map-limit.ts";

describe("mapLimit", () => {
  it("gives the results in the order of the items, whichever ends first", async () => {
    const ends: (() => void)[] = [];
    const work = (item: number) => new Promise<number>((resolve) => ends.push(() => resolve(item * 10)));
    const mapped = mapLimit([1, 2], 5, work);
    for (const end of ends.reverse()) end();
    assert.deepEqual(await mapped, [10, 20]);
  });

  it("works on no more than the limit at a time", async () => {
    let running = 0;
    let most = 0;
    await mapLimit([1, 2, 3, 4, 5], 2, async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise(setImmediate);
      running -= 1;
    });
    assert.equal(most, 2);
  });

  it("after a failure begins nothing new, finishes what is under way, and throws the first failure", async () => {
    const done: number[] = [];
    const work = async (item: number) => {
      if (item === 1) throw new Error("first");
      await new Promise(setImmediate);
      done.push(item);
    };
    await assert.rejects(mapLimit([1, 2, 3], 2, work), /first/);
    assert.deepEqual(done, [2]);
  });
});
