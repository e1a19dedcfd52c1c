import assert from "node:assert/strict";
import { judge } from "../../../src/delivery/gate.ts";
import type { Check, Gate } from "../../../src/delivery/types.ts";

const NOW = 1_000_000;
const GATE: Gate = { ci: "required", required: [], apps: null, settle: 5_000, timeout: 60_000 };
const job = (name: string, state: Check["state"], given: Partial<Check> = {}): Check => {
  const detail = { passed: "success", failed: "failed", pending: "running", unknown: "odd" }[state];
  return { name, state, source: "job", app: null, detail, at: NOW - 10_000, ...given };
};
const ask = (checks: Check[], given: Partial<Gate> = {}) => {
  const { verdict, because } = judge(checks, { ...GATE, ...given }, { hostRequired: null, now: NOW });
  return [verdict, because];
};

describe("the CI gate, for the checks of any host,", () => {
  it("takes the report with the higher order as the newer one, whatever their times say", () => {
    const old = job("test", "failed", { order: 7, at: NOW - 9_000 });
    const rerun = job("test", "passed", { order: 8, at: NOW - 10_000 });
    assert.deepEqual(ask([old, rerun]), ["green", "check test passed"]);
    assert.deepEqual(ask([rerun, old]), ["green", "check test passed"]);
    const { order: _, ...undated } = rerun;
    assert.deepEqual(ask([old, undated]), ["red", "check test failed"], "by time, where one has no order");
  });

  it("does not let one pipeline hide what failed in another", () => {
    const ofBranch = job("test", "failed", { group: "41", order: 1 });
    const ofTag = job("test", "passed", { group: "42", order: 2 });
    assert.deepEqual(ask([ofBranch, ofTag]), ["red", "check test failed"]);
    assert.deepEqual(ask([ofBranch, ofTag, job("test", "passed", { group: "41", order: 3 })])[0], "green");
  });

  it("counts a job that may fail as passed, and waits for its end", () => {
    assert.deepEqual(ask([job("test", "passed"), job("lint", "failed", { mayFail: true })])[0], "green");
    assert.deepEqual(ask([job("lint", "failed", { mayFail: true })], { required: ["lint"] })[0], "green");
    assert.deepEqual(ask([job("lint", "pending", { mayFail: true })]), ["pending", "waiting for check lint"]);
  });

  it("waits for a job that a person has to start, and leaves out one that nobody has to", () => {
    const manual = { isManual: true };
    const waits = "waiting for check deploy (a person has to start it)";
    assert.deepEqual(ask([job("test", "passed"), job("deploy", "pending", manual)]), ["pending", waits]);
    assert.deepEqual(ask([job("test", "passed"), job("deploy", "pending", { ...manual, mayFail: true })])[0], "green");
    assert.deepEqual(ask([job("deploy", "pending", { ...manual, mayFail: true })])[0], "none");
    assert.deepEqual(
      ask([job("test", "passed"), job("deploy", "pending", manual)], { required: ["test"] })[0],
      "green",
    );
  });

  it("holds a glob that the host requires to every check that it matches", () => {
    const requires = (name: string, checks: Check[]) => {
      const hostRequired = [{ kind: "check" as const, name, appId: null, isGlob: true }];
      return judge(checks, GATE, { hostRequired, now: NOW }).verdict;
    };
    const passed = job("ci / test (push)", "passed");
    assert.equal(requires("ci / *", [passed, job("other", "failed")]), "green");
    assert.equal(requires("ci / *", [passed, job("ci / lint (push)", "failed")]), "red");
    assert.equal(requires("ci / *", [job("other", "passed")]), "pending");
  });

  it("takes a host's name without `isGlob` literally", () => {
    const hostRequired = [{ kind: "check" as const, name: "ci / *", appId: null }];
    assert.equal(judge([job("ci / test", "passed")], GATE, { hostRequired, now: NOW }).verdict, "pending");
    assert.equal(judge([job("ci / *", "passed")], GATE, { hostRequired, now: NOW }).verdict, "green");
  });

  it("finds what is required by an alias too, as by the key of a build", () => {
    const build = job("Pipeline #4 for main", "passed", { aliases: ["3343801", "TEST-REP"] });
    for (const wanted of ["3343801", "TEST-*", "Pipeline #* for main"])
      assert.deepEqual(ask([build, job("docs", "failed")], { required: [wanted] })[0], "green", wanted);
    const hostRequired = [{ kind: "check" as const, name: "TEST-REP", appId: null }];
    const failed = { ...build, state: "failed" as const };
    assert.equal(judge([build], GATE, { hostRequired, now: NOW }).verdict, "green");
    assert.equal(judge([failed], GATE, { hostRequired, now: NOW }).because, "check Pipeline #4 for main failed");
    assert.deepEqual(ask([build], { required: ["TEST"] })[0], "pending");
  });
});
