import { Refused } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { BRANCHES } from "../refs.ts";
import type { Digest } from "../types.ts";
import type { ReadProvenance, ReadStatement, ReadTestResult } from "./read-statement.ts";
import { digestSet } from "./statement.ts";

/** What a verifier demands besides a good signature about the right bytes. Null: anything. */
export interface ProofPolicy {
  /** The repo, as people read it: a URL, or its last part `<owner>/<name>`. */
  repo: string | null;
  /** A name or glob. */
  branch: string | null;
  commit: string | null;
  /** The id of the builder. */
  builder: string | null;
  /** Checks that must have passed. */
  checks: readonly string[];
  /** The app that those checks must be of. */
  app: string | null;
  /** ms since the release. */
  maxAge: number | null;
}

/** A statement whose signature was verified, with the key that made it. */
export type SignedBy = ReadStatement & { keyId: string };

/** What was proven: who built it from what, and which checks were green. */
export interface Proven {
  provenance: ReadProvenance;
  commit: string;
  keyId: string;
  /** Null: no CI was asked for. */
  tests: ReadTestResult | null;
}

/** @param failures the reasons, of the statements that came nearest. Never empty if nothing is proven */
export type Judged = { proven: Proven; failures: [] } | { proven: null; failures: Refused[] };

/**
 * Judges what is proven of some bytes. A provenance that is about other bytes, or that the policy does not allow, is no
 * obstacle where another one holds: anybody may put more statements beside the bytes.
 * @param digests of the bytes: each must be among the subjects
 * @param now ms since the epoch
 */
export function judgeProof(
  digests: readonly Digest[],
  statements: readonly SignedBy[],
  policy: ProofPolicy,
  now: number,
): Judged {
  const about = statements.filter(({ subjects }) => coversAll(subjects, digests));
  const provenances = about.filter((each) => each.kind === "provenance");
  if (provenances.length === 0) return { proven: null, failures: [missing(statements, digests)] };
  let nearest: Refused[] | null = null;
  for (const provenance of provenances) {
    const { commit, predicate, keyId } = provenance;
    const tests = about.find((each) => each.kind === "test-result" && each.commit === commit && each.keyId === keyId);
    const result = tests?.kind === "test-result" ? tests.predicate : null;
    const failures = [...sourceFailures(provenance, policy, now), ...testFailures(predicate, result, about, policy)];
    if (failures.length === 0 && commit !== null)
      return { proven: { provenance: predicate, commit, keyId, tests: result }, failures: [] };
    if (nearest === null || failures.length < nearest.length) nearest = failures;
  }
  return { proven: null, failures: nearest ?? [] };
}

function coversAll(subjects: readonly Record<string, string>[], digests: readonly Digest[]): boolean {
  // A statement about the commit alone says nothing about these bytes.
  return digests.every((digest) => subjects.some(({ sha256 }) => sha256 === digestSet(digest).sha256));
}

function missing(statements: readonly SignedBy[], digests: readonly Digest[]): Refused {
  const others = statements.filter(({ kind }) => kind === "provenance");
  const shown = digests.slice(0, 3).join(", ");
  if (others.length === 0) return new Refused("proof-missing", `There is no provenance of ${shown} by a trusted key.`);
  return new Refused("proof-subject", `The provenance that was found is about other bytes than ${shown}.`);
}

type SignedProvenance = Extract<SignedBy, { kind: "provenance" }>;

function sourceFailures({ predicate, commit, at }: SignedProvenance, policy: ProofPolicy, now: number): Refused[] {
  const { builder } = predicate.runDetails;
  const { repository, ref } = predicate.buildDefinition.externalParameters;
  const failures: Refused[] = [];
  const demand = (holds: boolean, failure: () => Refused) => {
    if (!holds) failures.push(failure());
  };
  demand(commit !== null, () => new Refused("proof-statement", "The provenance names no commit."));
  demand(policy.builder === null || builder.id === policy.builder, () => {
    return new Refused("proof-builder", `It was built by ${builder.id}, not by ${policy.builder}.`);
  });
  demand(policy.repo === null || isRepo(repository, policy.repo), () => {
    return new Refused("proof-repo", `It was built from ${repository}, not from ${policy.repo}.`);
  });
  demand(policy.branch === null || isBranch(ref, policy.branch), () => {
    return new Refused("proof-branch", `It was built for ${ref}, not for the branch ${policy.branch}.`);
  });
  demand(policy.commit === null || (commit ?? "").startsWith(policy.commit), () => {
    return new Refused("proof-commit", `It was built from the commit ${commit}, not from ${policy.commit}.`);
  });
  const age = now - Date.parse(at);
  demand(policy.maxAge === null || age <= policy.maxAge, () => {
    return new Refused("proof-too-old", `It was released at ${at}, which is longer ago than allowed.`);
  });
  return failures;
}

function isRepo(repository: string, wanted: string): boolean {
  const [found, asked] = [repository.toLowerCase(), wanted.toLowerCase().replace(/\.git$/, "")];
  return found === asked || (!asked.includes("://") && found.endsWith(`/${asked}`));
}

function isBranch(ref: string, wanted: string): boolean {
  return ref.startsWith(BRANCHES) && globMatches(wanted, ref.slice(BRANCHES.length));
}

function testFailures(
  { buildDefinition: { internalParameters } }: ReadProvenance,
  tests: ReadTestResult | null,
  about: readonly SignedBy[],
  { checks, app }: ProofPolicy,
): Refused[] {
  if (tests === null) {
    if (internalParameters.ci === "none") {
      if (checks.length === 0) return [];
      return [new Refused("proof-ci-none", "No CI was asked for, so no check is proven.")];
    }
    if (about.some(({ kind }) => kind === "test-result"))
      return [
        new Refused(
          "proof-evidence-differs",
          "The evidence of CI is not that of the provenance: it is about another commit, or by another key.",
        ),
      ];
    if (internalParameters.ci === "unknown" && checks.length === 0) return [];
    return [
      new Refused("proof-evidence-missing", "The evidence of CI is missing, and the provenance says that CI ran."),
    ];
  }
  if (tests.result === "FAILED") return [new Refused("proof-check-failed", "The evidence says that CI has failed.")];
  return checks.flatMap((name) => checkFailure(tests, name, app));
}

function checkFailure(tests: ReadTestResult, name: string, app: string | null): Refused[] {
  if (tests.warnedTests.includes(name))
    return [new Refused("proof-check-failed", `The check ${name} has not passed: it was skipped, or it may fail.`)];
  const found = tests.deliverd_checks.filter((check) => check.name === name);
  if (!tests.passedTests.includes(name) || found.length === 0)
    return [new Refused("proof-check-missing", `The check ${name} is not among those that CI was judged by.`)];
  if (app === null || found.some((check) => check.app === app)) return [];
  const by = found.map((check) => check.app ?? "somebody").join(", ");
  return [new Refused("proof-check-app", `The check ${name} is by ${by}, not by ${app}.`)];
}
