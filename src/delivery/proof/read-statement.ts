import * as z from "zod";
import { Refused } from "../errors.ts";
import type { DigestSet, Statement } from "./statement.ts";
import { PROVENANCE_TYPE, STATEMENT_TYPE, TEST_RESULT_TYPE } from "./statement.ts";

const digests = z.record(z.string(), z.string());
const statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z
    .array(z.object({ name: z.string(), digest: digests }))
    .min(1)
    .max(1_024),
  predicateType: z.string(),
  predicate: z.unknown(),
});
const resource = z.object({ name: z.string().optional(), uri: z.string().optional(), digest: digests.optional() });
const time = z.iso.datetime();

/** As much of a provenance as a verifier asks for. Unknown fields are ignored, as SLSA demands. */
const provenance = z.object({
  buildDefinition: z.object({
    buildType: z.string(),
    externalParameters: z.object({
      repository: z.string(),
      ref: z.string(),
      pipeline: z.string().optional(),
      artifact: z.string(),
    }),
    internalParameters: z.object({ version: z.string(), kind: z.string(), ci: z.string() }),
    resolvedDependencies: z.array(resource),
  }),
  runDetails: z.object({
    builder: z.object({ id: z.string(), version: z.record(z.string(), z.string()).optional() }),
    metadata: z.object({ invocationId: z.string(), startedOn: time, finishedOn: time }),
  }),
});

const testResult = z.object({
  result: z.enum(["PASSED", "WARNED", "FAILED"]),
  passedTests: z.array(z.string()),
  warnedTests: z.array(z.string()),
  deliverd_gate: z.object({ readAt: time, commit: z.string(), because: z.string() }),
  deliverd_checks: z.array(
    z.object({
      name: z.string(),
      app: z.string().nullable(),
      conclusion: z.string(),
      mayFail: z.boolean(),
      at: z.string().nullable(),
      url: z.string().nullable(),
    }),
  ),
});

export type ReadProvenance = z.output<typeof provenance>;
export type ReadTestResult = z.output<typeof testResult>;

/** A statement whose signature was verified, as far as a verifier reads it. */
export type ReadStatement =
  | { kind: "provenance"; subjects: DigestSet[]; predicate: ReadProvenance; at: string; commit: string | null }
  | { kind: "test-result"; subjects: DigestSet[]; predicate: ReadTestResult; at: string; commit: string }
  | { kind: "other"; subjects: DigestSet[]; predicateType: string };

/**
 * @param bytes the very bytes that were verified
 * @throws Refused `proof-statement`
 */
export function readStatement(bytes: Buffer): ReadStatement {
  const text = bytes.toString();
  const read = statement.safeParse(parsed(text));
  if (!read.success) throw invalid("it is no in-toto statement");
  // Readers do not agree on an object with one key twice. Ours are written by JSON.stringify, which writes one form.
  if (JSON.stringify(JSON.parse(text)) !== text) throw invalid("it is not written as deliverd writes it");
  return ofType(read.data as Statement);
}

function ofType({ subject, predicateType, predicate }: Statement): ReadStatement {
  const subjects = subject.map(({ digest }) => digest);
  switch (predicateType) {
    case PROVENANCE_TYPE: {
      const read = provenance.safeParse(predicate);
      if (!read.success) throw invalid("its predicate is no provenance of deliverd");
      const [source] = read.data.buildDefinition.resolvedDependencies;
      const commit = source?.digest?.gitCommit ?? null;
      return {
        kind: "provenance",
        subjects,
        predicate: read.data,
        at: read.data.runDetails.metadata.finishedOn,
        commit,
      };
    }
    case TEST_RESULT_TYPE: {
      const read = testResult.safeParse(predicate);
      if (!read.success) throw invalid("its predicate is no test result of deliverd");
      const { readAt, commit } = read.data.deliverd_gate;
      return { kind: "test-result", subjects, predicate: read.data, at: readAt, commit };
    }
    default:
      return { kind: "other", subjects, predicateType };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function invalid(why: string): Refused {
  return new Refused("proof-statement", `The signed statement cannot be used: ${why}`);
}
