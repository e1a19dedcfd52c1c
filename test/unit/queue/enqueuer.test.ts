import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createEnqueuer, type EnqueuerOptions } from "../../../src/queue/enqueuer.ts";
import type { Jobs } from "../../../src/queue/queues.ts";
import { until } from "../../support/processes/process.ts";

type Job = Jobs["evaluate"];
const job = (name: string): Job => ({ repo: "github:1", sha: name, ref: null });

describe("The enqueuer of evaluations", () => {
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

  it("sends the first job to Redis before it returns", () => {
    const waker = start();
    waker.add(job("a"));
    assert.deepEqual(asked, ["a"]);
    assert.equal(waker.waiting(), 0);
  });

  it("sends one job at a time, in order", async () => {
    const waker = start();
    const names = Array.from({ length: 50 }, (_, index) => `${index}`);
    for (const name of names) waker.add(job(name));
    for (const _ of names) await answer(true);
    assert.deepEqual(asked, names);
    assert.equal(most, 1);
  });

  it("keeps one of several equal waiting jobs, beside the one that is being sent", async () => {
    const waker = start();
    for (const name of ["a", "a", "b", "a", "b", "a"]) waker.add(job(name));
    assert.equal(waker.waiting(), 2);
    for (let count = 0; count < 6; count++) await answer(true);
    assert.deepEqual(asked, ["a", "a", "b"]);
  });

  it("accepts no more than the maximum, and accepts new jobs when there is room", async () => {
    const waker = start({ maxWaiting: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) waker.add(job(name));
    assert.equal(waker.waiting(), 2);
    for (let count = 0; count < 3; count++) await answer(true);
    waker.add(job("f"));
    await answer(true);
    assert.deepEqual(asked, ["a", "b", "c", "f"]);
  });

  it("drops waiting jobs if Redis does not accept one, and sends the next new one", async () => {
    const waker = start();
    for (const name of ["a", "b", "c"]) waker.add(job(name));
    await answer(false);
    assert.equal(waker.waiting(), 0);
    waker.add(job("d"));
    await answer(true);
    assert.deepEqual(asked, ["a", "d"]);
  });

  it("pauses between jobs while the process is busy, and does not when it is idle", async () => {
    let isBusy = true;
    const waker = start({ isBusy: () => isBusy, pauseMs: 300 });
    for (const name of ["a", "b", "c", "d"]) waker.add(job(name));
    await answer(true);
    assert.deepEqual(asked, ["a"], "the second waits for a moment");
    await until("it goes on all the same", () => asked.length === 2);
    isBusy = false;
    await answer(true);
    assert.deepEqual(asked, ["a", "b", "c"]);
  });
});
