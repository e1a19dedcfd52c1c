import type { CiState, Decision, Plan } from "./types.ts";

/** All facts for the decision on one commit. They are read anew each time. */
export interface DecisionFacts {
  /** Full refs of the repo that contain the commit. A fork's commit has none, nor has one removed by a forced push. */
  heldBy: string[];
  /** Those of them that the pipeline watches and the server allows. */
  watched: string[];
  /** Why the others are not watched, for people. */
  unwatched: string;
  plan: Plan | { ignored: string };
  /** A ref has pointed to the commit: it was not only in the middle of a push. */
  wasHead: boolean;
  /** A person asked for this commit. */
  asked: boolean;
  /** Null: the host was not asked. */
  ci: (CiState & { because: string }) | null;
  /** The gate's time-out has passed since the commit began to wait. */
  timedOut: boolean;
}

export type CommitDecision = Decision & {
  /** CI failed or never ended: shown as a failure, while the delivery goes on waiting. */
  bad?: "red" | "timed-out";
};

/** Whether the decision depends on the commit's CI state, so that the host must be asked. */
export function needsCi(facts: Omit<DecisionFacts, "ci" | "timedOut">): boolean {
  return undecidable(facts) === null && !("ignored" in facts.plan) && facts.plan.gate.ci !== "none";
}

/**
 * Decides what happens with a commit. The same facts give the same decision, in whatever order webhooks came.
 */
export function decide(facts: DecisionFacts): CommitDecision {
  const early = undecidable(facts);
  if (early !== null) return early;
  const isUngated = !("ignored" in facts.plan) && facts.plan.gate.ci === "none";
  const isSilent = facts.ci === null ? isUngated : facts.ci.checks.length === 0;
  if (!facts.wasHead && !facts.asked && isSilent) {
    return ignore("a commit in the middle of a push: no ref ever pointed to it and no check ran on it");
  }
  if (isUngated) return { action: "deliver", because: "no CI is asked for" };
  if (facts.ci === null) return { action: "wait", because: "waiting for the CI state" };
  const { verdict, because } = facts.ci;
  switch (verdict) {
    case "green":
      return { action: "deliver", because };
    case "red":
      return { action: "wait", because, bad: "red" };
    case "pending":
    case "none":
      return facts.timedOut
        ? { action: "wait", because: `CI did not finish in time: ${because}`, bad: "timed-out" }
        : { action: "wait", because };
  }
}

/** The decision, if it does not depend on the CI state. Null: it does. */
function undecidable(facts: Pick<DecisionFacts, "heldBy" | "watched" | "unwatched" | "plan">): CommitDecision | null {
  if (facts.heldBy.length === 0)
    return { action: "superseded", because: "no branch or tag of the repo holds this commit" };
  if ("ignored" in facts.plan) return ignore(facts.plan.ignored);
  if (facts.watched.length === 0) {
    return ignore(facts.unwatched);
  }
  return null;
}

function ignore(because: string): CommitDecision {
  return { action: "ignore", because };
}
