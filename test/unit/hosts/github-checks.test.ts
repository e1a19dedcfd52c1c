import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import { checksOfRuns, readRuns } from "../../../src/hosts/github/check-runs.ts";
import { checksOfSuites, readSuites } from "../../../src/hosts/github/check-suites.ts";
import { checksOfStatuses } from "../../../src/hosts/github/statuses.ts";
import { isObject, objectAt } from "../../support/hosts/github/json.ts";
import { example } from "../../support/hosts/github/openapi.ts";

/** GitHub's own example of an answer, or the list under a key of it. */
function githubsOwn(name: string, key?: string): object[] {
  const answer = example(name);
  const list = key === undefined ? answer : objectAt(answer)[key];
  assert.ok(Array.isArray(list));
  return list.filter(isObject);
}

const fromCheckRuns = (items: object[]) => checksOfRuns(readRuns(items), []);
const fromCheckSuites = (items: object[], withRuns: number[] = [], now = Date.parse(LATER)) =>
  checksOfSuites(readSuites(items), new Set(withRuns), { apps: null, now });

const TIME = "2026-01-01T00:00:00Z";
const LATER = "2026-01-01T00:00:05Z";

const status = (id: number, context: string, state: string, updated_at = TIME) => ({ id, context, state, updated_at });
const run = (id: number, name: string, status: string, conclusion: string | null = null, more: object = {}) => ({
  id,
  name,
  status,
  conclusion,
  started_at: TIME,
  completed_at: conclusion === null ? null : LATER,
  app: { slug: "github-actions" },
  check_suite: { id: 5 },
  ...more,
});

describe("GitHub's commit statuses", () => {
  it("become checks, in GitHub's own example", () => {
    assert.deepEqual(checksOfStatuses(githubsOwn("status-items")), [
      {
        name: "continuous-integration/jenkins",
        source: "status",
        state: "passed",
        app: null,
        appId: null,
        detail: "success",
        at: Date.parse("2012-07-20T01:19:13Z"),
        url: "https://ci.example.com/1000/output",
      },
    ]);
  });

  for (const [state, becomes] of [
    ["success", "passed"],
    ["pending", "pending"],
    ["failure", "failed"],
    ["error", "failed"],
  ]) {
    it(`are ${becomes} when they say ${state}`, () => {
      assert.equal(checksOfStatuses([status(1, "ci", String(state))])[0]?.state, becomes);
    });
  }

  it("count by the newest of a context, in any order and any case", () => {
    const items = [
      status(3, "ci", "success", LATER),
      status(1, "CI", "failure"),
      status(2, "ci", "pending"),
      status(8, "other", "success"),
      status(9, "other", "failure"),
    ];
    for (const order of [items, items.toReversed()]) {
      const states = Object.fromEntries(
        checksOfStatuses(order).map(({ name, detail }) => [name.toLowerCase(), detail]),
      );
      assert.deepEqual(states, { ci: "success", other: "failure" });
    }
  });

  it("are of no app where a person or a token set them, and of some app where a bot did", () => {
    const by = (type: string) => checksOfStatuses([{ ...status(1, "ci", "success"), creator: { type } }])[0]?.appId;
    assert.deepEqual([by("User"), by("Bot")], [null, undefined]);
  });

  it("leave out what deliverd itself has reported", () => {
    assert.deepEqual(checksOfStatuses([status(1, "deliverd", "failure"), status(2, "Deliverd/api", "pending")]), []);
    assert.equal(checksOfStatuses([status(1, "deliverdly", "success")]).length, 1);
  });

  it("say nothing where their shape is another", () => {
    for (const items of [[{}], ["x"], [status(1, "ci", "success", "yesterday")]]) {
      assert.throws(() => checksOfStatuses(items), TransientError);
    }
  });
});

describe("GitHub's check runs", () => {
  it("become checks, in GitHub's own example", () => {
    assert.deepEqual(fromCheckRuns(githubsOwn("check-run-paginated", "check_runs")), [
      {
        name: "mighty_readme",
        source: "check-run",
        state: "passed",
        app: "octoapp",
        appId: 1,
        detail: "neutral",
        at: Date.parse("2018-05-04T01:14:52Z"),
        url: "https://github.com/github/hello-world/runs/4",
      },
    ]);
  });

  for (const [conclusion, becomes] of [
    ["success", "passed"],
    ["neutral", "passed"],
    ["skipped", "passed"],
    ["failure", "failed"],
    ["cancelled", "failed"],
    ["timed_out", "failed"],
    ["action_required", "failed"],
    ["stale", "failed"],
    ["startup_failure", "failed"],
    ["something_new", "unknown"],
    [null, "unknown"],
  ] as const) {
    it(`are ${becomes} when they are completed with ${conclusion}`, () => {
      assert.equal(fromCheckRuns([run(1, "test", "completed", conclusion)])[0]?.state, becomes);
    });
  }

  for (const state of ["queued", "in_progress", "pending", "waiting", "requested"]) {
    it(`are pending while ${state}, whatever an old conclusion says`, () => {
      assert.equal(fromCheckRuns([run(1, "test", state, "success")])[0]?.state, "pending");
    });
  }

  it("count by the newest of their re-runs, in any order", () => {
    const items = [run(1, "test", "completed", "failure"), run(2, "test", "completed", "success")];
    for (const order of [items, items.toReversed()]) {
      assert.deepEqual(
        fromCheckRuns(order).map(({ state }) => state),
        ["passed"],
      );
    }
  });

  it("of one name in two suites count by the worst, since the newest may hide a failure", () => {
    const elsewhere = { check_suite: { id: 6 } };
    const failed = run(1, "test", "completed", "failure");
    const running = run(2, "test", "in_progress", null, elsewhere);
    const passed = run(3, "test", "completed", "success", elsewhere);
    const states = (...runs: object[]) => fromCheckRuns(runs).map(({ state }) => state);
    for (const order of [
      [failed, passed],
      [passed, failed],
    ]) {
      assert.deepEqual(states(...order), ["failed"]);
    }
    assert.deepEqual(states(failed, running), ["failed"]);
    assert.deepEqual(states(run(4, "test", "completed", "success"), running), ["pending"]);
    assert.equal(fromCheckRuns([run(4, "test", "completed", "success"), running])[0]?.at, Date.parse(LATER));
  });

  it("of two apps are two checks", () => {
    const other = run(2, "test", "completed", "success", { app: { slug: "another" } });
    assert.equal(fromCheckRuns([run(1, "test", "completed", "failure"), other]).length, 2);
  });

  it("bear the time of their last change", () => {
    assert.equal(fromCheckRuns([run(1, "a", "completed", "success")])[0]?.at, Date.parse(LATER));
    assert.equal(fromCheckRuns([run(1, "a", "queued")])[0]?.at, Date.parse(TIME));
    assert.equal(fromCheckRuns([run(1, "a", "queued", null, { started_at: null })])[0]?.at, 0);
  });
});

describe("GitHub's check suites", () => {
  const suite = (status: string | null, latest_check_runs_count: number, more: object = {}) => ({
    id: 5,
    status,
    latest_check_runs_count,
    updated_at: TIME,
    app: { slug: "github-actions" },
    ...more,
  });
  const idle = { app: { slug: "idle-app" } };

  it("are pending while they have runs and are not completed", () => {
    assert.deepEqual(fromCheckSuites([suite("in_progress", 2)], [5]), [
      {
        name: "github-actions",
        source: "check-suite",
        state: "pending",
        app: "github-actions",
        appId: null,
        detail: "in_progress",
        at: Date.parse(TIME),
      },
    ]);
  });

  it("say nothing once they are completed with runs, nor while they are an idle app's", () => {
    assert.deepEqual(fromCheckSuites([suite("completed", 3, { conclusion: "failure" })], [5]), []);
    assert.deepEqual(fromCheckSuites([suite("queued", 0, idle), suite(null, 0, idle)]), []);
    assert.deepEqual(fromCheckSuites(githubsOwn("check-suite-paginated", "check_suites")), []);
  });

  it("without runs count where the gate names their app", () => {
    const view = { apps: ["idle-app"], now: Date.parse(LATER) };
    const [check] = checksOfSuites(readSuites([suite("queued", 0, idle)]), new Set(), view);
    assert.deepEqual([check?.name, check?.state], ["idle-app", "pending"]);
  });

  it("of one app are one check, the worst of them", () => {
    const failed = suite("completed", 0, { id: 6, conclusion: "startup_failure" });
    const newer = suite("queued", 0, { id: 7, updated_at: LATER });
    for (const order of [
      [failed, newer],
      [newer, failed],
    ])
      assert.deepEqual(
        fromCheckSuites(order).map(({ state, detail, at }) => [state, detail, at]),
        [["failed", "startup_failure", Date.parse(LATER)]],
      );
  });

  it("that have not begun within two days do not begin", () => {
    const days = (count: number) => Date.parse(TIME) + count * 24 * 3_600_000;
    for (const runs of [[], [5]]) {
      assert.equal(fromCheckSuites([suite("queued", 0)], runs, days(2) - 1).length, 1);
      assert.equal(fromCheckSuites([suite("queued", 0)], runs, days(2)).length, 0);
    }
    assert.equal(fromCheckSuites([suite("completed", 0, { conclusion: "failure" })], [], days(3)).length, 1);
  });
});
