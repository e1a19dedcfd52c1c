import assert from "node:assert/strict";
import { TransientError, UserError } from "../../../src/delivery/errors.ts";
import { systemClock } from "../../../src/run/clock.ts";
import type { Run } from "../../../src/run/run.ts";
import { sideBySide } from "../../../workers/deliver/side-by-side.ts";

describe("tasks that run side by side", () => {
  let stop: AbortController;
  let run: Run;

  beforeEach(() => {
    stop = new AbortController();
    run = { log: { line() {}, write() {} }, signal: stop.signal, tmp: "", clock: systemClock };
  });

  /** Goes on until it is told to stop, and takes a moment to do so. */
  const endless = (signal: AbortSignal, over: () => void) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () =>
        setImmediate(() => {
          over();
          reject(signal.reason);
        }),
      );
    });
  const later = () => new Promise<void>((resolve) => setImmediate(resolve));

  it("give results in the order of the items, even if the first waits for the last", async () => {
    let lastIsOver = () => {};
    const last = new Promise<void>((resolve) => {
      lastIsOver = resolve;
    });
    const results = await sideBySide(["first", "last"], run, async (item) => {
      if (item === "last") lastIsOver();
      return { end: last.then(() => item) };
    });
    assert.deepEqual(results, ["first", "last"]);
  });

  it("are cancelled when one fails permanently, and are waited for", async () => {
    let isOver = false;
    const begun: string[] = [];
    const wrong = new UserError("build-failed", "exit 1");
    const work = sideBySide(["slow", "wrong", "the last"], run, async (item, own) => {
      begun.push(item);
      if (item === "slow") return { end: endless(own.signal, () => (isOver = true)) };
      throw wrong;
    });
    await assert.rejects(work, wrong);
    assert.equal(isOver, true);
    assert.deepEqual(begun, ["slow", "wrong"]);
  });

  it("go on when one fails transiently, but no new one begins", async () => {
    const down = new TransientError("engine-gone", "no answer");
    const begun: string[] = [];
    const ended: string[] = [];
    const work = sideBySide(["down", "slow", "third"], run, async (item) => {
      begun.push(item);
      if (item === "down") return { end: later().then(() => Promise.reject(down)) };
      await later().then(later);
      return { end: later().then(() => ended.push(item)) };
    });
    await assert.rejects(work, down);
    assert.deepEqual([begun, ended], [["down", "slow"], ["slow"]]);
  });

  it("throw a transient error before a permanent one", async () => {
    const down = new TransientError("engine-gone", "no answer");
    const wrong = new UserError("build-failed", "exit 1");
    const work = sideBySide(["down", "wrong"], run, async (item) => {
      return {
        end:
          item === "down"
            ? later().then(() => Promise.reject(down))
            : later()
                .then(later)
                .then(() => Promise.reject(wrong)),
      };
    });
    await assert.rejects(work, down);
  });

  it("end with the run, and no new one begins", async () => {
    const reason = new Error("cancelled by a person");
    const begun: string[] = [];
    const work = sideBySide(["slow", "waits for room", "the last"], run, async (item, own) => {
      begun.push(item);
      if (item === "slow") return { end: endless(own.signal, () => {}) };
      setImmediate(() => stop.abort(reason));
      return endless(own.signal, () => {});
    });
    await assert.rejects(work, reason);
    assert.deepEqual(begun, ["slow", "waits for room"]);
  });
});
