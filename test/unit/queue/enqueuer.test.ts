import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createEnqueuer, type EnqueuerOptions } from "../../../src/queue/enqueuer.ts";
import type { Jobs } from "../../../src/queue/queues.ts";
import { until } from "../../support/processes/process.ts";

type Job = Jobs["evaluate"];
const job = (name: string): Job => ({ repo: "github:1", sha: name, ref: null });

describe("The waker of evaluations", () => {
  /** What Redis was asked to take, and how to answer the one that waits for it. */
  let asked: string[];
  let atOnce: number;
  let most: number;
  let answer: (isTaken: boolean) => Promise<void>;

  const start = (options: EnqueuerOptions = {}) => {
    asked = [];
    atOnce = 0;
    most = 0;
    let settle: ((isTaken: boolean) => void) | undefined;
    answer = async (isTaken) => {
      settle?.(isTaken);
      await nextTurn();
    };
    const add = (_name: string, data: object) =>
      new Promise<boolean>((resolve) => {
        asked.push(String((data as Job).sha));
        most = Math.max(most, ++atOnce);
        settle = (isTaken) => {
          atOnce--;
          resolve(isTaken);
        };
      });
    return createEnqueuer({ add: add as never }, "evaluate", options);
  };

  it("asks Redis for the first before it returns", () => {
    const waker = start();
    waker.add(job("a"));
    assert.deepEqual(asked, ["a"]);
    assert.equal(waker.waiting(), 0);
  });

  it("asks for one at a time, in the order in which they came", async () => {
    const waker = start();
    const names = Array.from({ length: 50 }, (_, index) => `${index}`);
    for (const name of names) waker.add(job(name));
    for (const _ of names) await answer(true);
    assert.deepEqual(asked, names);
    assert.equal(most, 1);
  });

  it("keeps one of the same that wait, and one more for the one that Redis is being asked to take", async () => {
    const waker = start();
    for (const name of ["a", "a", "b", "a", "b", "a"]) waker.add(job(name));
    assert.equal(waker.waiting(), 2);
    for (let count = 0; count < 6; count++) await answer(true);
    assert.deepEqual(asked, ["a", "a", "b"]);
  });

  it("takes no more than may wait, and goes on once there is room", async () => {
    const waker = start({ maxWaiting: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) waker.add(job(name));
    assert.equal(waker.waiting(), 2);
    for (let count = 0; count < 3; count++) await answer(true);
    waker.add(job("f"));
    await answer(true);
    assert.deepEqual(asked, ["a", "b", "c", "f"]);
  });

  it("drops what waits when Redis does not take one, and asks again for the next that comes", async () => {
    const waker = start();
    for (const name of ["a", "b", "c"]) waker.add(job(name));
    await answer(false);
    assert.equal(waker.waiting(), 0);
    waker.add(job("d"));
    await answer(true);
    assert.deepEqual(asked, ["a", "d"]);
  });

  it("goes on, a little later each time, while there is something more urgent, and at once when there is not", async () => {
    let isBusy = true;
    const waker = start({ isBusy: () => isBusy });
    for (const name of ["a", "b", "c", "d"]) waker.add(job(name));
    await answer(true);
    assert.deepEqual(asked, ["a"], "the second waits for a moment");
    await until("it goes on all the same", () => asked.length === 2);
    isBusy = false;
    await answer(true);
    assert.deepEqual(asked, ["a", "b", "c"]);
  });
});
