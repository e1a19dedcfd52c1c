import { Refused } from "../../delivery/errors.ts";
import { judgeProof, type ProofPolicy, type Proven, type SignedBy } from "../../delivery/proof/judge.ts";
import { verifyBundle } from "../../proof/verify-bundle.ts";
import type { TrustedKeys } from "./keys.ts";
import type { Target } from "./target.ts";

/** A reason why something does not hold. `code`: docs/reference/errors/proof.md */
export interface ProofFailure {
  code: string;
  because: string;
}

export interface Verification {
  target: string;
  digests: string[];
  bytes: string;
  /** All holds. */
  verified: boolean;
  failures: ProofFailure[];
  proven: Proven | null;
  /** Statements that were found and do not count, such as those of other tools. */
  ignored: ({ from: string } & ProofFailure)[];
}

/** Verifies the statements that were found, and judges what they prove of the target. */
export async function verifyTarget(
  { label, digests, bundles, bytes }: Target,
  keys: TrustedKeys,
  policy: ProofPolicy,
  now: number,
): Promise<Verification> {
  const statements: SignedBy[] = [];
  const ignored: Verification["ignored"] = [];
  for (const { from, text } of bundles) {
    try {
      statements.push(await verifyBundle(text, keys));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      ignored.push({ from, ...failureOf(error) });
    }
  }
  const { proven, failures } = judgeProof(digests, statements, policy, now);
  const about = { target: label, digests, bytes, ignored };
  if (proven !== null) return { ...about, verified: true, proven, failures: [] };
  const judged = failures.map(failureOf);
  // Where a statement is missing, what is wrong with those that were found says more.
  const isMissing = judged.every(({ code }) => code === "proof-missing" || code === "proof-evidence-missing");
  const broken = isMissing ? ignored.map(({ code, because }) => ({ code, because })) : [];
  return { ...about, verified: false, proven: null, failures: distinct([...broken, ...judged]) };
}

function failureOf({ code, message }: Refused): ProofFailure {
  return { code, because: message };
}

function distinct(failures: ProofFailure[]): ProofFailure[] {
  return [...new Map(failures.map((failure) => [`${failure.code} ${failure.because}`, failure])).values()];
}
