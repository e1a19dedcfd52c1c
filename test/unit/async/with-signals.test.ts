import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { withSignals } from "../../../src/async/with-signals.ts";

describe("withSignals", () => {
  const aborted = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

  it("aborts the work when any of the signals does, with the same reason", async () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const work = withSignals([one.signal, other.signal], aborted);
    const reason = new Error("enough");
    other.abort(reason);
    await assert.rejects(work, reason);
  });

  it("does not begin when one of them has aborted", async () => {
    const reason = new Error("too late");
    const work = withSignals([AbortSignal.abort(reason)], async () => assert.fail("began"));
    await assert.rejects(work, reason);
  });

  it("leaves nothing attached to them, whether the work succeeds or fails", async () => {
    const { signal } = new AbortController();
    assert.equal(await withSignals([signal], async () => 1), 1);
    await assert.rejects(withSignals([signal], () => Promise.reject(new Error("no"))));
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
});
