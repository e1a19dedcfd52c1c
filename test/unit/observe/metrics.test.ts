import assert from "node:assert/strict";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { addProcessMetrics } from "../../../src/observe/process-metrics.ts";
import { lintMetrics } from "../../support/processes/promtool.ts";

describe("Metrics", () => {
  it("count, read gauges for each scrape, and sort values into buckets", async () => {
    const metrics = createMetrics();
    const calls = metrics.counter("calls_total", "Calls.");
    let waiting = 1;
    metrics.gauge("waiting", "What waits.", () => waiting);
    const seconds = metrics.histogram("work_seconds", "Work.", [0.5, 1]);
    calls.add({ to: "hub" });
    calls.add({ to: "hub" }, 2);
    for (const value of [0.25, 0.5, 0.75, 4]) seconds.observe({ stage: "build" }, value);
    waiting = 7;
    assert.equal(
      await metrics.text(),
      [
        "# HELP calls_total Calls.",
        "# TYPE calls_total counter",
        'calls_total{to="hub"} 3',
        "# HELP waiting What waits.",
        "# TYPE waiting gauge",
        "waiting 7",
        "# HELP work_seconds Work.",
        "# TYPE work_seconds histogram",
        'work_seconds_bucket{stage="build",le="0.5"} 2',
        'work_seconds_bucket{stage="build",le="1"} 3',
        'work_seconds_bucket{stage="build",le="+Inf"} 4',
        'work_seconds_sum{stage="build"} 5.5',
        'work_seconds_count{stage="build"} 4',
        "",
      ].join("\n"),
    );
  });

  it("escape labels as the format says, and leave all other characters as they are", async () => {
    const metrics = createMetrics();
    metrics.counter("odd_total", "Odd.").add({ key: 'a\\b"c\nd\tü' });
    assert.match(await metrics.text(), /^odd_total\{key="a\\\\b\\"c\\nd\tü"\} 1$/m);
  });

  it("leave out a gauge that fails, and show all others", async () => {
    const metrics = createMetrics();
    metrics.gauge("broken", "Broken.", async () => {
      throw new Error("the ledger does not answer");
    });
    metrics.gauge("unknown", "Not known.", () => null);
    metrics.gauge("well", "Well.", () => 1);
    const text = await metrics.text();
    assert.doesNotMatch(text, /^(?:broken|unknown)\b/m);
    assert.match(text, /^well 1$/m);
  });

  it("of the process have the names and units of Prometheus' own libraries", async () => {
    const metrics = createMetrics();
    addProcessMetrics(metrics);
    const text = await metrics.text();
    const numberOf = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    assert.ok(numberOf("process_cpu_seconds_total") > 0, text);
    assert.ok(numberOf("process_resident_memory_bytes") > 1e7);
    assert.ok(numberOf("process_open_fds") > 2);
    assert.ok(numberOf("process_max_fds") >= numberOf("process_open_fds"));
    assert.ok(Math.abs(numberOf("process_start_time_seconds") - (Date.now() / 1000 - process.uptime())) < 60);
    assert.equal(await lintMetrics(text), "");
  });

  it("are linted by a linter that finds mistakes", async () => {
    const metrics = createMetrics();
    metrics.counter("calls", "Calls.").add();
    assert.match(await lintMetrics(await metrics.text()), /calls counter metrics should have "_total" suffix/);
  });
});
