import assert from "node:assert/strict";
import { mock } from "node:test";
import { type LogFields, silentLog } from "../../../src/observe/log.ts";
import { SampledLog } from "../../../src/observe/sampled-log.ts";

describe("a log that bounds lines which outsiders can cause", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  it("keeps a few lines of a flood, then tells how many it left out, and begins anew", () => {
    const lines: [string, LogFields | undefined][] = [];
    const log = new SampledLog({ ...silentLog, warn: (message, facts) => lines.push([message, facts]) }, "failures");
    for (let count = 0; count < 100; count++) log.warn("it failed", { count });
    assert.equal(lines.length, 5);
    mock.timers.tick(10_000);
    assert.deepEqual(lines[5], ["more failures than are logged", { suppressed: 95, seconds: 10 }]);
    log.warn("it failed again");
    mock.timers.tick(10_000);
    assert.deepEqual(lines.slice(6), [["it failed again", undefined]]);
  });
});
