import assert from "node:assert/strict";
import { silentLog } from "../../../src/observe/log.ts";
import { every, startRounds } from "../../../workers/rounds.ts";
import { until } from "../../support/processes/process.ts";

describe("rounds", () => {
  it("overlap none with itself, and stop waits for the run under way", async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    let release = () => {};
    const rounds = startRounds(silentLog, [
      every(1, "failed", async () => {
        running += 1;
        runs += 1;
        most = Math.max(most, running);
        if (runs > 2) await new Promise<void>((resolve) => (release = resolve));
        running -= 1;
      }),
    ]);
    await until("the third run hangs", () => runs === 3);
    const stopped = rounds.stop();
    let isStopped = false;
    void stopped.then(() => (isStopped = true));
    await new Promise(setImmediate);
    assert.equal(isStopped, false);
    release();
    await stopped;
    assert.deepEqual({ running, most, runs }, { running: 0, most: 1, runs: 3 });
  });

  it("go on after a failure, and know their first run", async () => {
    const firsts: boolean[] = [];
    const rounds = startRounds(silentLog, [
      every(
        1,
        "failed",
        async (isFirst) => {
          firsts.push(isFirst);
          throw new Error("down");
        },
        { atStart: true },
      ),
    ]);
    await until("it runs again", () => firsts.length >= 2);
    await rounds.stop();
    assert.deepEqual(firsts.slice(0, 2), [true, false]);
  });
});
