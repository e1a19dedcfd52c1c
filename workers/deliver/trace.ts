import type { Delivery } from "../../src/ledger/deliveries.ts";
import type { SpanFacts, TraceSubject } from "../../src/observe/trace.ts";

type Identity = Pick<Delivery, "id" | "repoId" | "sha">;

export function subjectOf({ repoId, sha }: Identity): TraceSubject {
  return { repoId, commit: sha };
}

/** The ids that each log line and span of a delivery has. */
export function factsOf({ id, repoId, sha }: Identity): SpanFacts {
  return { delivery: id, repo: repoId, sha };
}
