import assert from "node:assert/strict";
import fc from "fast-check";
import { type DecisionFacts, decide, needsCi } from "../../../src/delivery/decide.ts";
import { DEFAULT_GATE } from "../../../src/delivery/plan.ts";
import type { Check, Gate, Plan } from "../../../src/delivery/types.ts";
import { planWith } from "../../support/fixtures/plans.ts";

const plan = (gate: Partial<Gate> = {}): Plan => planWith({ gate: { ...DEFAULT_GATE, ...gate } });
const check: Check = { name: "test", source: "check-run", state: "passed", app: null, detail: "success", at: 0 };
const ci = (verdict: "green" | "red" | "pending" | "none", because: string, checks = [check]) => ({
  verdict,
  because,
  checks,
});
const facts = (more: Partial<DecisionFacts> = {}): DecisionFacts => ({
  heldBy: ["refs/heads/main"],
  watched: ["refs/heads/main"],
  unwatched: "",
  plan: plan(),
  wasHead: true,
  asked: false,
  ci: ci("green", "check test passed"),
  timedOut: false,
  ...more,
});

describe("the decision on a commit", () => {
  const rows: [title: string, given: Partial<DecisionFacts>, expected: ReturnType<typeof decide>][] = [
    ["delivers what is green", {}, { action: "deliver", because: "check test passed" }],
    [
      "waits for what is red, and shows it",
      { ci: ci("red", "check test failed") },
      { action: "wait", because: "check test failed", bad: "red" },
    ],
    [
      "waits for what is pending",
      { ci: ci("pending", "waiting for check test") },
      { action: "wait", because: "waiting for check test" },
    ],
    [
      "waits where no check has spoken yet",
      { ci: ci("none", "no check has been reported yet", []) },
      { action: "wait", because: "no check has been reported yet" },
    ],
    [
      "shows CI that does not come to an end",
      { ci: ci("pending", "waiting for check test"), timedOut: true },
      { action: "wait", because: "CI did not finish in time: waiting for check test", bad: "timed-out" },
    ],
    [
      "delivers a green commit even past its time",
      { timedOut: true },
      { action: "deliver", because: "check test passed" },
    ],
    ["waits where the host was not asked", { ci: null }, { action: "wait", because: "waiting for the CI state" }],
    [
      "does not take CI that was not asked for as CI that is silent",
      { ci: null, wasHead: false },
      { action: "wait", because: "waiting for the CI state" },
    ],
    [
      "asks for no CI where the gate does not",
      { plan: plan({ ci: "none" }), ci: null },
      { action: "deliver", because: "no CI is asked for" },
    ],
    [
      "supersedes what no ref holds any more",
      { heldBy: [], watched: [] },
      { action: "superseded", because: "no branch or tag of the repo holds this commit" },
    ],
    [
      "ignores what no rule watches",
      { watched: [], unwatched: "the pipeline watches main" },
      { action: "ignore", because: "the pipeline watches main" },
    ],
    [
      "ignores what has nothing to deliver",
      { plan: { ignored: "no Dockerfile" } },
      { action: "ignore", because: "no Dockerfile" },
    ],
  ];
  for (const [title, given, expected] of rows) it(title, () => assert.deepEqual(decide(facts(given)), expected));

  const middle = "a commit in the middle of a push: no ref ever pointed to it and no check ran on it";
  it("ignores the middle of a push, also where no CI is asked for", () => {
    const silent = { wasHead: false, ci: ci("none", "", []) };
    assert.deepEqual(decide(facts(silent)), { action: "ignore", because: middle });
    assert.deepEqual(decide(facts({ wasHead: false, ci: null, plan: plan({ ci: "none" }) })), {
      action: "ignore",
      because: middle,
    });
  });

  it("takes up such a commit once a check ran on it, or a person asks for it", () => {
    assert.equal(decide(facts({ wasHead: false })).action, "deliver");
    assert.equal(decide(facts({ wasHead: false, asked: true, ci: ci("none", "nothing yet", []) })).action, "wait");
    assert.equal(
      decide(facts({ wasHead: false, asked: true, ci: null, plan: plan({ ci: "none" }) })).action,
      "deliver",
    );
  });

  it("asks the host only where its answer can matter", () => {
    assert.equal(needsCi(facts()), true);
    for (const given of [
      { heldBy: [] },
      { watched: [] },
      { plan: { ignored: "" } },
      { plan: plan({ ci: "none" }) },
    ] satisfies Partial<DecisionFacts>[]) {
      assert.equal(needsCi(facts(given)), false);
    }
  });

  it("never delivers what no watched ref holds, nor what is not green, whatever else is so", () => {
    const verdicts = fc.constantFrom("green" as const, "red" as const, "pending" as const, "none" as const);
    const any = fc.record({
      heldBy: fc.constantFrom<string[]>([], ["refs/heads/main"]),
      watched: fc.constantFrom<string[]>([], ["refs/heads/main"]),
      plan: fc.constantFrom<DecisionFacts["plan"]>(plan(), plan({ ci: "none" }), { ignored: "x" }),
      wasHead: fc.boolean(),
      asked: fc.boolean(),
      timedOut: fc.boolean(),
      ci: fc.option(
        fc.record({ verdict: verdicts, because: fc.constant("x"), checks: fc.constantFrom<Check[]>([], [check]) }),
      ),
    });
    fc.assert(
      fc.property(any, (given) => {
        if (decide(facts(given)).action !== "deliver") return;
        assert.ok(given.heldBy.length > 0 && given.watched.length > 0 && !("ignored" in given.plan));
        assert.ok(given.plan.gate.ci === "none" || given.ci?.verdict === "green");
      }),
    );
  });
});
