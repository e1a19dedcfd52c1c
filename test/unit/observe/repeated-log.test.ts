import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { mock } from "node:test";
import { createLog, type LogFields } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { RepeatedLog } from "../../../src/observe/repeated-log.ts";
import { observed } from "../../../src/observe/scope.ts";
import { until } from "../../support/processes/process.ts";

describe("A log of what fails again and again during an outage", () => {
  afterEach(() => mock.timers.reset());

  it("writes the first line of a key at once, then one a minute with the last facts and their number", () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const lines: LogFields[] = [];
    const log = new RepeatedLog((facts) => lines.push(facts));
    for (let call = 1; call <= 100; call++) log.add("hub failed", { call });
    log.add("github limited", { call: 0 });
    assert.deepEqual(lines, [{ call: 1 }, { call: 0 }]);
    mock.timers.tick(60_000);
    assert.deepEqual(lines.slice(2), [{ call: 100, times: 99, seconds: 60 }]);
    log.add("hub failed", { call: 101 });
    mock.timers.tick(60_000);
    assert.deepEqual(lines.slice(3), [{ call: 101, times: 1, seconds: 60 }]);
    mock.timers.tick(60_000);
    log.add("hub failed", { call: 102 });
    assert.deepEqual(lines.slice(4), [{ call: 102 }], "after a quiet minute the next one is written at once");
  });

  it("gives the line for many the ids of none of them", async () => {
    const stream = new PassThrough();
    const lines = createLog({ mask: createMask([]), stream });
    const log = new RepeatedLog((facts) => lines.warn("a call failed", facts), 1);
    let text = "";
    stream.on("data", (chunk) => (text += String(chunk)));
    const observer = { called: () => {}, tracer: null };
    observed(observer, { delivery: "d1" }, () => log.add("hub failed", { to: "hub" }));
    observed(observer, { delivery: "d2" }, () => log.add("hub failed", { to: "hub" }));
    await until("the line for many is written", () => text.trim().split("\n").length === 2);
    const [first, many] = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as LogFields);
    assert.deepEqual([first?.delivery, many?.delivery, many?.times], ["d1", undefined, 1]);
  });
});
