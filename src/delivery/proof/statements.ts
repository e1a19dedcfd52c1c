import type { ProofFacts } from "./facts.ts";
import { provenanceOf } from "./provenance.ts";
import type { Statement } from "./statement.ts";
import { testResultOf } from "./test-result.ts";

/** Every statement about one release. The same facts always give the same statements, to the byte. */
export function statementsOf(facts: ProofFacts): Statement[] {
  const tests = testResultOf(facts);
  return tests === null ? [provenanceOf(facts)] : [provenanceOf(facts), tests];
}
