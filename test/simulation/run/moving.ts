import { BRANCHES } from "../../../src/delivery/refs.ts";
import type { World } from "../world/process.ts";
import type { Scenario } from "./scenario.ts";
import type { Seen } from "./story.ts";

/** The name of a branch holds the newest released commit of that branch, in every registry. */
export function checkMovingNames(
  { host, history, registries }: World,
  scenario: Scenario,
  seen: Seen,
  releases: { sha: string; artifact: string; digest: string }[],
): string[] {
  const problems: string[] = [];
  for (const [index, plan] of scenario.repos.entries()) {
    for (const [ref, tip] of host.repos[index]?.refs ?? []) {
      if (!ref.startsWith(BRANCHES)) continue;
      const onBranch = history.newestFirst(history.ancestors(tip));
      for (const artifact of plan.artifacts) {
        const own = releases.filter((each) => each.artifact === artifact.name);
        const newest = onBranch.find((sha) => own.some((each) => each.sha === sha));
        const wanted = own.find((each) => each.sha === newest)?.digest;
        if (newest === undefined || wanted === undefined) continue;
        if (seen.moved.has(newest)) continue;
        for (const to of artifact.to) {
          const name = `acme/${plan.name}-${artifact.name}:${ref.slice(BRANCHES.length)}`;
          const there = registries.get(to)?.tags.get(name);
          // A new branch whose first commits are not released gets its name with the first of them that is.
          if (there === undefined && newest !== tip) continue;
          if (there !== wanted)
            problems.push(`${name} in ${to} holds ${there}, and ${seen.ids.get(newest)} is ${wanted}`);
        }
      }
    }
  }
  return problems;
}
