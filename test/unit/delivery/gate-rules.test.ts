import assert from "node:assert/strict";
import fc from "fast-check";
import { type HostRequired, judge } from "../../../src/delivery/gate.ts";
import { nameMatches } from "../../../src/delivery/glob.ts";
import type { Check, Gate } from "../../../src/delivery/types.ts";

const NOW = 1_000_000;
const GATE: Gate = { ci: "required", required: [], apps: null, settle: 5_000, timeout: 60_000 };

const check: fc.Arbitrary<Check> = fc.record({
  name: fc.constantFrom("test", "lint", "lint / js", "build (a*b)", "deploy"),
  source: fc.constantFrom("status", "check-run", "check-suite"),
  state: fc.constantFrom("passed", "failed", "pending", "unknown"),
  app: fc.constantFrom(null, "actions", "other", "stranger"),
  appId: fc.constantFrom(null, 1, 2),
  detail: fc.constant(""),
  at: fc.integer({ min: NOW - 20_000, max: NOW }),
});
const checks = fc.array(check, { maxLength: 8 });
const required = fc.subarray(["test", "lint*", "build (a*b)"]);
const gate = fc.record({
  ci: fc.constant<"required">("required"),
  required,
  apps: fc.option(fc.subarray(["actions", "other"], { minLength: 1 })),
  settle: fc.constantFrom(0, 5_000),
  timeout: fc.constant(60_000),
});
const hostRequired = fc.option(
  fc.subarray<HostRequired>([
    { kind: "check", name: "test", appId: null },
    { kind: "check", name: "deploy", appId: 1 },
    { kind: "unnamed", what: "a scan", app: null },
    { kind: "unnamed", what: "workflow x", app: "actions" },
    { kind: "unknown", rule: "moon" },
  ]),
);
const verdict = (list: Check[], rule: Gate, host: HostRequired[] | null = null) =>
  judge(list, rule, { hostRequired: host, now: NOW }).verdict;

describe("the CI gate, for any reported checks,", () => {
  it("rests a green verdict on passed checks that alone make it green, and another verdict on none", () => {
    fc.assert(
      fc.property(checks, gate, hostRequired, (list, rule, host) => {
        const state = judge(list, rule, { hostRequired: host, now: NOW });
        if (state.verdict !== "green") return assert.deepEqual(state.restsOn, []);
        assert.ok(state.restsOn.every((each) => each.state === "passed" && state.checks.includes(each)));
        assert.equal(verdict(state.restsOn, rule, host), "green");
      }),
    );
  });

  it("is green only where each required check is there, and all that it matches have passed", () => {
    fc.assert(
      fc.property(checks, gate, hostRequired, (list, rule, host) => {
        const state = judge(list, rule, { hostRequired: host, now: NOW });
        if (state.verdict !== "green") return;
        const named = state.checks.filter(({ source }) => source !== "check-suite");
        const isMet = (found: Check[]) => found.length > 0 && found.every((each) => each.state === "passed");
        for (const one of rule.required) assert.ok(isMet(named.filter(({ name }) => nameMatches(one, name))), one);
        if (rule.required.length > 0) return;
        for (const one of host ?? []) {
          assert.notEqual(one.kind, "unknown");
          if (one.kind === "check") {
            const isBy = ({ appId }: Check) => one.appId === null || appId === one.appId;
            assert.ok(isMet(named.filter((each) => each.name === one.name && isBy(each))), one.name);
          }
          if (one.kind === "unnamed")
            assert.ok(isMet(state.checks.filter(({ app }) => one.app === null || app === one.app)), one.what);
        }
        if ((host ?? []).length === 0) assert.ok(isMet(state.checks));
      }),
    );
  });

  it("is never made greener by a check that turns worse", () => {
    fc.assert(
      fc.property(checks, gate, hostRequired, fc.nat(), (list, rule, host, at) => {
        if (list.length === 0 || verdict(list, rule, host) === "green") return;
        const worse = list.map((each, index) =>
          index === at % list.length && each.state === "passed" ? { ...each, state: "failed" as const } : each,
        );
        assert.notEqual(verdict(worse, rule, host), "green");
      }),
    );
  });

  it("is moved by nothing that an app reports which it does not trust, nor by a status where it trusts apps", () => {
    fc.assert(
      fc.property(checks, checks, gate, hostRequired, (list, others, rule, host) => {
        const { apps } = rule;
        if (apps === null) return;
        const strange = others.map((each) => ({ ...each, app: each.source === "status" ? null : "stranger" }));
        assert.deepEqual(
          judge([...list, ...strange], rule, { hostRequired: host, now: NOW }),
          judge(list, rule, { hostRequired: host, now: NOW }),
        );
      }),
    );
  });

  it("is moved by nothing that deliverd itself reports", () => {
    fc.assert(
      fc.property(
        checks,
        check,
        fc.constantFrom("deliverd", "Deliverd/api", "DELIVERD/x"),
        gate,
        (list, one, name, rule) => {
          const ask = (all: Check[]) => judge(all, rule, { hostRequired: null, now: NOW });
          assert.deepEqual(ask([...list, { ...one, name }]), ask(list));
        },
      ),
    );
  });

  it("counts the newest report of a check alone, in whatever order they are listed", () => {
    fc.assert(
      fc.property(checks, check, gate, (list, one, rule) => {
        const rest = list.filter(
          (each) => !(each.name === one.name && each.app === one.app && each.source === one.source),
        );
        const [older, newer] = [
          { ...one, state: "failed" as const, at: NOW - 30_000 },
          { ...one, state: "passed" as const },
        ];
        for (const rerun of [
          [older, newer],
          [newer, older],
        ])
          assert.equal(verdict([...rest, ...rerun], rule), verdict([...rest, newer], rule));
      }),
    );
  });

  it("without required checks turns green by time alone once nothing new has come for as long as it settles", () => {
    fc.assert(
      fc.property(checks, (list) => {
        const state = judge(list, GATE, { hostRequired: null, now: NOW });
        if (state.retryAt === null) return;
        assert.equal(state.verdict, "pending");
        assert.equal(judge(list, GATE, { hostRequired: null, now: state.retryAt }).verdict, "green");
        assert.equal(judge(list, GATE, { hostRequired: null, now: state.retryAt - 1 }).verdict, "pending");
      }),
    );
  });

  it("that asks for none is green", () => {
    fc.assert(
      fc.property(checks, hostRequired, (list, host) => verdict(list, { ...GATE, ci: "none" }, host) === "green"),
    );
  });
});
