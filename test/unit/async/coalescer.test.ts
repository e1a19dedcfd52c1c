import assert from "node:assert/strict";
import { Coalescer } from "../../../src/async/coalescer.ts";

/** Runs that a test ends by hand. */
function byHand() {
  const runs: { input: string; signal: AbortSignal; end(): void; fail(error: Error): void }[] = [];
  const tidied: number[] = [];
  const coalescer = new Coalescer<string, number>(
    (input, signal) =>
      new Promise((resolve, reject) => {
        const number = runs.length + 1;
        runs.push({ input, signal, end: () => resolve(number), fail: reject });
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
    async (number) => {
      tidied.push(number);
    },
  );
  return { coalescer, runs, tidied };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const never = () => new AbortController().signal;

describe("Coalescing calls", () => {
  it("serves the calls of one moment with one run, by the newest input", async () => {
    const { coalescer, runs } = byHand();
    const calls = [coalescer.call("a", never()), coalescer.call("b", never())];
    await settle();
    assert.deepEqual(
      runs.map((run) => run.input),
      ["b"],
    );
    runs[0]?.end();
    assert.deepEqual(await Promise.all(calls), [1, 1]);
  });

  it("serves calls made during a run with the next one, all of them with the same", async () => {
    const { coalescer, runs } = byHand();
    const first = coalescer.call("a", never());
    await settle();
    const later = [coalescer.call("b", never()), coalescer.call("c", never())];
    await settle();
    assert.equal(runs.length, 1, "one run at a time");
    runs[0]?.end();
    assert.equal(await first, 1);
    await settle();
    runs[1]?.end();
    assert.deepEqual(await Promise.all(later), [2, 2]);
    assert.equal(runs.length, 2);
  });

  it("goes on after a failed run, and cleans up only after a successful one", async () => {
    const { coalescer, runs, tidied } = byHand();
    const first = coalescer.call("a", never());
    await settle();
    const second = coalescer.call("b", never());
    runs[0]?.fail(new Error("no luck"));
    await assert.rejects(first, /no luck/);
    await settle();
    runs[1]?.end();
    assert.equal(await second, 2);
    await settle();
    assert.deepEqual(tidied, [2]);
  });

  it("goes on when one caller aborts, and stops when the last one aborts", async () => {
    const { coalescer, runs } = byHand();
    const [one, two] = [new AbortController(), new AbortController()];
    const calls = [coalescer.call("a", one.signal), coalescer.call("a", two.signal)];
    await settle();
    one.abort(new Error("one leaves"));
    await assert.rejects(calls[0] ?? Promise.resolve(), /one leaves/);
    assert.equal(runs[0]?.signal.aborted, false);
    two.abort(new Error("two leaves"));
    await assert.rejects(calls[1] ?? Promise.resolve(), /two leaves/);
    assert.equal(runs[0]?.signal.aborted, true);
  });

  it("starts a new run for a caller that comes after all others aborted", async () => {
    const { coalescer, runs } = byHand();
    const first = coalescer.call("a", never());
    await settle();
    const leaver = new AbortController();
    const left = coalescer.call("b", leaver.signal);
    leaver.abort(new Error("gone"));
    await assert.rejects(left, /gone/);
    const second = coalescer.call("c", never());
    runs[0]?.end();
    await first;
    await settle();
    assert.deepEqual(
      runs.map((run) => run.input),
      ["a", "c"],
    );
    runs[1]?.end();
    assert.equal(await second, 2);
  });

  it("does nothing for a caller that had aborted already", async () => {
    const { coalescer, runs } = byHand();
    assert.throws(() => void coalescer.call("a", AbortSignal.abort(new Error("late"))), /late/);
    await settle();
    assert.equal(runs.length, 0);
  });
});
