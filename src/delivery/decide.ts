import type { CiState, Decision, Plan } from "./types.ts";

/** All that a decision on one commit rests on, read anew each time. */
export interface DecisionFacts {
  /** Full refs of the repo's own mirror that hold the commit. A fork's commit, or one that was pushed away, has none. */
  heldBy: string[];
  /** Those of them that the pipeline watches, within what the server allows. */
  watched: string[];
  /** Why the others are not, in words. */
  unwatched: string;
  plan: Plan | { ignored: string };
  /** A ref has pointed to it: it is not merely a commit in the middle of a push. */
  wasHead: boolean;
  /** A person asked for this very commit. */
  asked: boolean;
  /** Null until it was worth asking the host. */
  ci: (CiState & { because: string }) | null;
  /** True once the gate's time-out has passed since the commit was first waited for. */
  timedOut: boolean;
}

export type CommitDecision = Decision & {
  /** The CI says no, or never spoke: shown as a failure while the delivery goes on waiting. */
  bad?: "red" | "timed-out";
};

/** Is there any use in asking the host for the commit's CI state? */
export function needsCi(facts: Omit<DecisionFacts, "ci" | "timedOut">): boolean {
  return undecidable(facts) === null && !("ignored" in facts.plan) && facts.plan.gate.ci !== "none";
}

/**
 * The one decision of deliverd: what is to become of this commit. Pure; the same facts give the same answer, whatever
 * the order in which webhooks came.
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
        ? { action: "wait", because: `CI did not come to an end in time: ${because}`, bad: "timed-out" }
        : { action: "wait", because };
  }
}

/** What can be said without knowing the CI state; null where nothing can. */
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
