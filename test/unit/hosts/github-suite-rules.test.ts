import assert from "node:assert/strict";
import fc from "fast-check";
import { judge } from "../../../src/delivery/gate.ts";
import type { Check, Gate } from "../../../src/delivery/types.ts";
import { checksOfRuns, type Run } from "../../../src/hosts/github/check-runs.ts";
import { checksOfSuites, type Suite } from "../../../src/hosts/github/check-suites.ts";
import { checksOf } from "../../../src/hosts/github/checks.ts";
import { stateOf, wasInterrupted } from "../../../src/hosts/github/states.ts";

const NOW = 1_000_000_000;
const HOUR = 3_600_000;
const view = { apps: null, now: NOW };
const ENDS = ["success", "skipped", "failure", "cancelled", "stale", "startup_failure", "moon"];
const ONGOING = ["queued", "in_progress", "pending", "waiting", "requested"];

/** Suites of two apps for two branches; runs of a few names, each with an id of its own. */
const suite: fc.Arbitrary<Suite> = fc.record({
  id: fc.integer({ min: 1, max: 5 }),
  app: fc.constantFrom("github-actions", "idle"),
  appId: fc.constant(null),
  branch: fc.constantFrom("main", "release/1", null),
  hasEnded: fc.boolean(),
  word: fc.constantFrom(...ENDS, ...ONGOING),
  runs: fc.constantFrom(0, 1),
  at: fc.integer({ min: NOW - 60 * HOUR, max: NOW }),
});
const suites = fc
  .uniqueArray(suite, { selector: ({ id }) => id, maxLength: 5 })
  .map((all) => all.map((one) => ({ ...one, hasEnded: !ONGOING.includes(one.word) })));
const run = fc.record({
  name: fc.constantFrom("test", "lint", "build"),
  app: fc.constantFrom("github-actions", "other"),
  appId: fc.constant(null),
  suite: fc.constantFrom(1, 2, 3, 4, null),
  word: fc.constantFrom(...ENDS, ...ONGOING),
  startedAt: fc.integer({ min: 0, max: 9 }),
  endedAt: fc.option(fc.integer({ min: 0, max: 9 })),
  url: fc.constant(null),
});
const runs: fc.Arbitrary<Run[]> = fc
  .array(run, { maxLength: 8 })
  .map((all) => all.map((one, at) => ({ ...one, id: at + 1 })));

const key = ({ app, name }: { app: string | null; name: string }) => `${app} ${name}`;
const newestInSuites = (all: Run[]) =>
  all.filter((one) => !all.some((other) => key(other) === key(one) && other.suite === one.suite && other.id > one.id));
const sorted = (checks: Check[]) => [...checks].sort((a, b) => key(a).localeCompare(key(b)));
const asSet = (all: Run[]) => new Set(all.map((one) => one.suite));

/** How one run of a workflow ended; `dropped`: cancelled before it had a job. */
type Outcome = "passed" | "failed" | "cancelled" | "dropped" | "queued";
/** Workflows by their jobs, which may have names in common; of each branch that was pushed, how every workflow ended there. */
interface Pushed {
  workflows: string[][];
  outcomes: Outcome[][];
}

const outcome = fc.constantFrom<Outcome>("passed", "passed", "failed", "cancelled", "dropped", "queued");
const pushed: fc.Arbitrary<Pushed> = fc
  .array(fc.subarray(["build", "test", "lint"], { minLength: 1 }), { minLength: 1, maxLength: 3 })
  .chain((workflows) =>
    fc.record({
      workflows: fc.constant(workflows),
      outcomes: fc.array(fc.array(outcome, { minLength: workflows.length, maxLength: workflows.length }), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  );

/** As GitHub lists it: all at once, so that no run is known to have begun after another one's end. */
function listed({ workflows, outcomes }: Pushed): { runs: Run[]; suites: Suite[] } {
  const ci = { app: "github-actions", appId: null };
  const runs: Run[] = [];
  const suites: Suite[] = [];
  for (const [onBranch, ended] of outcomes.entries()) {
    for (const [at, jobs] of workflows.entries()) {
      const how = ended[at] ?? "passed";
      const word = {
        passed: "success",
        failed: "failure",
        cancelled: "cancelled",
        dropped: "cancelled",
        queued: "queued",
      }[how];
      const id = suites.length + 1;
      const names = how === "dropped" || how === "queued" ? [] : jobs;
      suites.push({
        id,
        ...ci,
        branch: `b${onBranch}`,
        hasEnded: how !== "queued",
        word,
        runs: names.length,
        at: NOW - HOUR,
      });
      for (const [job, name] of names.entries()) {
        const own = job === names.length - 1 ? word : "success";
        runs.push({ id: runs.length + 1, name, ...ci, suite: id, word: own, startedAt: 0, endedAt: 9, url: null });
      }
    }
  }
  return { runs, suites };
}

function verdictOf(world: Pushed): string {
  const checks = checksOf({ statuses: [], ...listed(world) }, view);
  const gate: Gate = { ci: "required", required: [], apps: null, settle: 0, timeout: HOUR };
  return judge(checks, gate, { hostRequired: null, now: NOW }).verdict;
}

describe("a commit whose branches all have the same workflows", () => {
  const all = (world: Pushed) => world.outcomes.flat();

  it("is green only if each workflow passed on one branch, and none failed or is pending", () => {
    fc.assert(
      fc.property(pushed, (world) => {
        if (verdictOf(world) !== "green") return;
        assert.ok(all(world).every((each) => each !== "failed" && each !== "queued"));
        for (const at of world.workflows.keys()) assert.ok(world.outcomes.some((ended) => ended[at] === "passed"));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is green if all passed on one branch, and the others were cancelled for it", () => {
    fc.assert(
      fc.property(pushed, fc.nat(2), (world, at) => {
        const whole = world.outcomes.map((ended, branch) =>
          ended.map((how): Outcome => {
            if (branch === at % world.outcomes.length || how === "passed") return "passed";
            return how === "failed" || how === "queued" ? "cancelled" : how;
          }),
        );
        assert.equal(verdictOf({ ...world, outcomes: whole }), "green");
      }),
      { numRuns: 2_000 },
    );
  });

  it("is red if one failed, and waits if one is pending and none failed", () => {
    fc.assert(
      fc.property(pushed, (world) => {
        if (all(world).includes("failed")) assert.equal(verdictOf(world), "red");
        else if (all(world).includes("queued")) assert.equal(verdictOf(world), "pending");
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("whatever runs and suites GitHub lists,", () => {
  it("each app's name has one check, however many runs of it gave way", () => {
    fc.assert(
      fc.property(runs, suites, (all, ofSuites) => {
        const names = checksOfRuns(all, ofSuites).map(key);
        assert.deepEqual([...names].sort(), [...new Set(all.map(key))].sort());
      }),
    );
  });

  it("a check has passed only where of each suite the newest run of it has, or was cut short and another one stands for it", () => {
    fc.assert(
      fc.property(runs, suites, (all, ofSuites) => {
        for (const check of checksOfRuns(all, ofSuites).filter(({ state }) => state === "passed")) {
          const own = newestInSuites(all).filter((one) => key(one) === key(check));
          assert.ok(own.some((one) => stateOf(one.word) === "passed"));
          assert.ok(own.every((one) => stateOf(one.word) === "passed" || wasInterrupted(one.word)));
        }
      }),
    );
  });

  it("no run hides another workflow's failure, nor one that still runs", () => {
    fc.assert(
      fc.property(runs, suites, fc.subarray(["github-actions", "other"]), (all, ofSuites, runningApps) => {
        const checks = checksOfRuns(all, ofSuites, new Set(runningApps));
        const states = new Map(checks.map((check) => [key(check), check.state]));
        for (const one of newestInSuites(all)) {
          const state = stateOf(one.word);
          if (state === "failed" && !wasInterrupted(one.word)) assert.equal(states.get(key(one)), "failed");
          if (state !== "passed" && !wasInterrupted(one.word)) assert.notEqual(states.get(key(one)), "passed");
        }
      }),
    );
  });

  it("gives the same verdict in any order", () => {
    fc.assert(
      fc.property(runs, suites, (all, ofSuites) => {
        const runningApps = new Set(["github-actions"]);
        const forth = [...checksOfRuns(all, ofSuites, runningApps), ...checksOfSuites(ofSuites, asSet(all), view)];
        const [back, over] = [all.toReversed(), ofSuites.toReversed()];
        const states = (checks: Check[]) => sorted(checks).map((check) => [key(check), check.state, check.at]);
        assert.deepEqual(
          states([...checksOfRuns(back, over, runningApps), ...checksOfSuites(over, asSet(back), view)]),
          states(forth),
        );
      }),
    );
  });

  it("ignores a suite of an app that never runs", () => {
    fc.assert(
      fc.property(runs, suites, suite, fc.constantFrom("queued", "stale"), (all, ofSuites, one, word) => {
        const idle = { ...one, id: 99, app: "never", word, runs: 0, hasEnded: word === "stale" };
        const given = checksOfSuites(ofSuites, asSet(all), view);
        assert.deepEqual(checksOfSuites([...ofSuites, idle], asSet(all), view), given);
      }),
    );
  });

  it("waits for a suite of Actions that may still begin, but not for ever", () => {
    fc.assert(
      fc.property(suites, suite, fc.constantFrom(...ONGOING), (others, one, word) => {
        const young = { ...one, id: 99, app: "github-actions", word, hasEnded: false, at: NOW - HOUR };
        const states = (all: Suite[]) =>
          checksOfSuites(all, new Set(), view).flatMap(({ app, state }) => (app === "github-actions" ? [state] : []));
        assert.ok(states([...others, young]).every((state) => state !== "passed"));
        assert.equal(states([...others, young]).length, 1);
        assert.deepEqual(states([{ ...young, at: NOW - 48 * HOUR }]), []);
      }),
    );
  });

  it("never ignores a suite that could not start", () => {
    fc.assert(
      fc.property(runs, suites, (all, ofSuites) => {
        const stuck = ofSuites.filter(({ word }) => word === "startup_failure");
        const checks = checksOfSuites(ofSuites, asSet(all), view);
        for (const { app } of stuck) assert.ok(checks.some((check) => check.app === app && check.state === "failed"));
      }),
    );
  });
});
