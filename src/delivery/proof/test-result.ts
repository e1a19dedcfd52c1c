import { type Evidence, type EvidenceCheck, hasPassed } from "./evidence.ts";
import type { ProofFacts } from "./facts.ts";
import { type ResourceDescriptor, STATEMENT_TYPE, type Statement, subjectsOf, TEST_RESULT_TYPE } from "./statement.ts";

/** https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md */
export interface TestResult {
  result: "PASSED" | "WARNED" | "FAILED";
  configuration: ResourceDescriptor[];
  passedTests: string[];
  warnedTests: string[];
  failedTests: string[];
  deliverd_gate: Pick<Evidence, "readAt" | "branches" | "because"> & {
    /** `required`: the checks below. `all`: what the host requires, or every reported check. */
    rule: "required" | "all";
    required: string[];
    apps: string[] | null;
    commit: string;
  };
  deliverd_checks: EvidenceCheck[];
}

/**
 * Which checks were green on the commit when the release was decided on. The subjects are the artifact and the commit.
 * @returns null where no CI was asked for, or no evidence was kept
 */
export function testResultOf(facts: ProofFacts): Statement<TestResult> | null {
  const { artifact, content, evidence, source } = facts;
  if (evidence === null || evidence.gate.ci === "none") return null;
  const { gate, checks, readAt, branches, because } = evidence;
  // A name has passed only if every check of this name has: one app must not speak for another.
  const warned = names(checks.filter((check) => !hasPassed(check)));
  const passed = names(checks).filter((name) => !warned.includes(name));
  return {
    _type: STATEMENT_TYPE,
    subject: [...subjectsOf(artifact, content), { name: "commit", digest: { gitCommit: source.sha } }],
    predicateType: TEST_RESULT_TYPE,
    predicate: {
      result: warned.length === 0 ? "PASSED" : "WARNED",
      configuration: source.pipeline === null ? [] : [{ name: source.pipeline.path, digest: source.pipeline.digest }],
      passedTests: passed,
      warnedTests: warned,
      failedTests: [],
      deliverd_gate: {
        rule: gate.required.length > 0 ? "required" : "all",
        required: gate.required,
        apps: gate.apps,
        readAt,
        commit: source.sha,
        branches,
        because,
      },
      deliverd_checks: checks,
    },
  };
}

function names(checks: EvidenceCheck[]): string[] {
  return [...new Set(checks.map(({ name }) => name))].sort();
}
