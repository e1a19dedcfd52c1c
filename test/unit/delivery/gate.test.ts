import assert from "node:assert/strict";
import fc from "fast-check";
import { type HostRequired, hasTimedOut, judge } from "../../../src/delivery/gate.ts";
import type { Check, Gate } from "../../../src/delivery/types.ts";

const NOW = 1_000_000;
const gate = (given: Partial<Gate> = {}): Gate => ({
  ci: "required",
  required: [],
  apps: null,
  settle: 5_000,
  timeout: 60_000,
  ...given,
});
const check = (name: string, state: Check["state"] = "passed", given: Partial<Check> = {}): Check => ({
  name,
  state,
  source: "check-run",
  app: "ci",
  detail: state,
  at: NOW - 10_000,
  ...given,
});
const ask = (checks: Check[], given: Partial<Gate> = {}, hostRequired: string[] | null = null, now = NOW) => {
  const host = hostRequired?.map((name) => ({ kind: "check" as const, name, appId: null })) ?? null;
  const { verdict, because, retryAt } = judge(checks, gate(given), { hostRequired: host, now });
  return { verdict, because, retryAt };
};

describe("the CI gate", () => {
  it("is green for every commit where `ci` is none", () => {
    assert.deepEqual(ask([check("test", "failed")], { ci: "none" }), {
      verdict: "green",
      because: "no CI asked for",
      retryAt: null,
    });
  });

  it("ignores deliverd's own reports, in upper or lower case", () => {
    const own = [check("deliverd", "pending"), check("Deliverd/API", "failed"), check("deliverdish")];
    assert.deepEqual(
      judge(own, gate(), { hostRequired: null, now: NOW }).checks.map(({ name }) => name),
      ["deliverdish"],
    );
  });

  describe("with required checks", () => {
    const required = ["test", "lint*"];

    it("is green when each of them passed, whatever else is reported", () => {
      const checks = [
        check("test", "passed", { at: NOW }),
        check("lint / js"),
        check("docs", "failed"),
        check("e2e", "pending"),
      ];
      assert.deepEqual(ask(checks, { required }), {
        verdict: "green",
        because: "required checks lint / js and test passed",
        retryAt: null,
      });
    });

    it("waits for one that is not reported, and names it", () => {
      assert.deepEqual(ask([check("test")], { required }), {
        verdict: "pending",
        because: "waiting for check lint*",
        retryAt: null,
      });
    });

    it("waits for one that is running", () => {
      assert.equal(ask([check("test", "pending"), check("lint")], { required }).because, "waiting for check test");
    });

    it("is red with one that failed, even while another is missing", () => {
      assert.deepEqual(ask([check("test", "failed")], { required }), {
        verdict: "red",
        because: "check test failed",
        retryAt: null,
      });
    });

    it("demands every check that a glob matches", () => {
      assert.equal(ask([check("test"), check("lint-js"), check("lint-css", "failed")], { required }).verdict, "red");
    });

    it("takes a name with glob characters as it stands", () => {
      assert.equal(ask([check("build (a*b) [x]")], { required: ["build (a*b) [x]"] }).verdict, "green");
    });

    it("does not take a suite for a check of its name", () => {
      assert.equal(
        ask([check("test", "passed", { source: "check-suite" })], { required: ["test"] }).verdict,
        "pending",
      );
    });

    it("ignores what the host requires", () => {
      assert.equal(ask([check("test")], { required: ["test"] }, ["e2e"]).verdict, "green");
    });
  });

  describe("without required checks of its own", () => {
    it("demands what the host requires, by exact names", () => {
      assert.equal(ask([check("e2e"), check("docs", "failed")], {}, ["e2e"]).verdict, "green");
      assert.equal(ask([check("e2e / a")], {}, ["e2e*"]).because, "waiting for check e2e*");
    });

    it("demands a check from the app that the host names", () => {
      const by = (...checks: Check[]) =>
        judge(checks, gate(), { hostRequired: [{ kind: "check", name: "e2e", appId: 7 }], now: NOW }).because;
      assert.equal(by(check("e2e", "passed", { appId: 7 })), "required check e2e passed");
      const status = { source: "status", app: null } as const;
      for (const forged of [{ appId: 8 }, { appId: null }, { ...status, appId: null }, { ...status, appId: 8 }, status])
        assert.equal(by(check("e2e", "passed", forged)), "waiting for check e2e");
      assert.equal(by(check("e2e", "passed", { ...status, appId: 7 })), "required check e2e passed");
    });

    describe("where the host requires results without a check name", () => {
      const by = (checks: Check[], ...host: HostRequired[]) => {
        const { verdict, because, retryAt } = judge(checks, gate(), { hostRequired: host, now: NOW });
        return [verdict, because, retryAt];
      };
      const scan: HostRequired = { kind: "unnamed", what: "a scan", app: null };
      const workflow: HostRequired = { kind: "unnamed", what: "workflow x", app: "ci" };
      const test: HostRequired = { kind: "check", name: "test", appId: null };

      it("counts every check, and also those that the host requires by name", () => {
        const why = "(a scan is required: every check counts)";
        assert.deepEqual(by([check("test"), check("docs", "failed")], test, scan), [
          "red",
          `check docs failed ${why}`,
          null,
        ]);
        assert.deepEqual(by([check("docs")], test, scan), ["pending", "waiting for check test", null]);
        assert.deepEqual(by([check("docs")], scan), ["green", `check docs passed ${why}`, null]);
        assert.deepEqual(by([], scan), ["pending", `waiting for a check ${why}`, null]);
      });

      it("counts every check of the required app, and waits for one", () => {
        const why = "(workflow x is required: every check of ci counts)";
        const other = check("docs", "failed", { app: "other" });
        assert.deepEqual(by([other], workflow), ["pending", `waiting for a run of ci ${why}`, null]);
        assert.deepEqual(by([other, check("test")], workflow), ["green", `check test passed ${why}`, null]);
        const lately = check("test", "passed", { at: NOW - 1_000 });
        assert.deepEqual(by([lately], workflow), ["pending", `waiting 4s for further checks ${why}`, NOW + 4_000]);
      });

      it("waits if it does not know the rule, unless the pipeline names its checks", () => {
        const because = "the host's rule 'moon' is unknown to deliverd: name the checks in ci.required";
        const moon: HostRequired = { kind: "unknown", rule: "moon" };
        assert.deepEqual(by([check("test")], moon), ["pending", because, null]);
        assert.deepEqual(by([check("test", "failed")], moon, test), ["red", "check test failed", null]);
        const named = judge([check("test")], gate({ required: ["test"] }), { hostRequired: [moon], now: NOW });
        assert.equal(named.verdict, "green");
      });
    });

    for (const host of [null, []]) {
      it(`demands every reported check where the host ${host === null ? "does not tell" : "requires none"}`, () => {
        assert.equal(ask([check("a"), check("b", "failed")], {}, host).because, "check b failed");
        assert.equal(ask([check("a"), check("b", "pending")], {}, host).because, "waiting for check b");
        assert.equal(ask([check("a"), check("b")], {}, host).because, "checks a and b passed");
      });
    }

    it("has no verdict while nothing is reported", () => {
      assert.deepEqual(ask([]), { verdict: "none", because: "no check has been reported yet", retryAt: null });
    });

    it("waits for a suite that has only begun", () => {
      assert.equal(ask([check("a"), check("actions", "pending", { source: "check-suite" })]).verdict, "pending");
    });

    it("waits until nothing new came for the settle time, and says when to look again", () => {
      const checks = [check("a", "passed", { at: NOW - 2_000 }), check("b")];
      assert.deepEqual(ask(checks), {
        verdict: "pending",
        because: "waiting 3s for further checks",
        retryAt: NOW + 3_000,
      });
      assert.equal(ask(checks, {}, null, NOW + 3_000).verdict, "green");
    });
  });

  describe("that trusts certain apps", () => {
    const apps = ["ci", "other"];

    it("counts the check runs and suites of these apps, and no others and no statuses", () => {
      assert.equal(ask([check("test")], { apps }).verdict, "green");
      assert.equal(ask([check("test", "passed", { app: "stranger" })], { apps }).verdict, "none");
      assert.equal(ask([check("test", "passed", { source: "status", app: null })], { apps }).verdict, "none");
      const suite = check("other", "pending", { source: "check-suite", app: "other" });
      assert.equal(ask([check("test"), suite], { apps }).verdict, "pending");
    });

    it("names the trusted apps while it waits for a check", () => {
      const forged = [check("test", "passed", { app: "stranger" })];
      const waiting = "waiting for check test (by ci, other)";
      assert.equal(ask(forged, { apps, required: ["test"] }).because, waiting);
      assert.equal(ask(forged, { apps }, ["test"]).because, waiting);
      assert.equal(ask([check("test", "failed")], { apps }).because, "check test failed");
    });
  });

  it("waits for a check whose state has a word that it does not know, and says the word", () => {
    const strange = check("test", "unknown", { detail: "paused" });
    const because = "waiting for check test ('paused', a word that deliverd does not know)";
    for (const given of [{}, { required: ["test"] }])
      assert.deepEqual(ask([strange, check("lint")], given), { verdict: "pending", because, retryAt: null });
    assert.equal(ask([strange, check("lint", "failed")]).because, "check lint failed");
  });

  it("says of a suite whose it is and what the host calls its state", () => {
    const suite = (state: Check["state"], detail: string) => check("actions", state, { source: "check-suite", detail });
    assert.equal(ask([suite("failed", "startup_failure")]).because, "check suite of actions (startup_failure) failed");
    assert.equal(ask([suite("pending", "queued")]).because, "waiting for check suite of actions (queued)");
    assert.equal(
      ask([suite("failed", "startup_failure")], { required: ["test"] }).because,
      "waiting for check test, while check suite of actions (startup_failure) failed",
    );
  });

  describe("of several reports of one check", () => {
    it("takes the newest report", () => {
      const rerun = [check("test", "failed", { at: 1 }), check("test", "passed", { at: 2 })];
      assert.equal(ask(rerun).verdict, "green");
      assert.equal(ask(rerun.toReversed()).verdict, "green");
    });

    it("takes the one listed first if both have the same time", () => {
      assert.equal(ask([check("test", "passed", { at: 1 }), check("test", "pending", { at: 1 })]).verdict, "green");
    });

    it("counts a status and a check run of one name, and those of two apps, each", () => {
      assert.equal(
        ask([check("test", "passed"), check("test", "failed", { source: "status", app: null })]).verdict,
        "red",
      );
      assert.equal(
        ask([check("test", "passed"), check("test", "failed", { app: "other" })], { required: ["test"] }).verdict,
        "red",
      );
    });
  });

  it("gives the same reason in any order of checks", () => {
    const any = fc.uniqueArray(
      fc.record({
        name: fc.constantFrom("a", "b", "c", "d", "e", "f"),
        state: fc.constantFrom("passed", "failed", "pending"),
      }),
      { selector: ({ name }) => name },
    );
    const rules = fc.subarray(["a", "b", "c*"]);
    fc.assert(
      fc.property(any, rules, fc.infiniteStream(fc.nat()), (list, required, random) => {
        const checks = list.map(({ name, state }) => check(name, state as Check["state"]));
        const shuffled = checks.map((one) => ({ one, key: random.next().value })).sort((a, b) => a.key - b.key);
        assert.deepEqual(
          ask(
            shuffled.map(({ one }) => one),
            { required },
          ),
          ask(checks, { required }),
        );
      }),
    );
  });

  it("names at most a few of many checks in its reason", () => {
    const many = ["g", "f", "e", "d", "c", "b", "a"].map((name) => check(name, "failed"));
    assert.equal(ask(many).because, "checks a, b, c and 4 more failed");
  });

  it("times out once the timeout has passed", () => {
    assert.equal(hasTimedOut(0, gate({ timeout: 10 }), 9), false);
    assert.equal(hasTimedOut(0, gate({ timeout: 10 }), 10), true);
  });
});
