import { BRANCHES, TAGS } from "../../../src/delivery/refs.ts";
import type { Sha } from "../../../src/delivery/types.ts";
import type { World } from "../world/process.ts";
import type { Scenario } from "./scenario.ts";
import type { Seen } from "./story.ts";

/** A commit that must end, and the states in which it may. */
export interface Expected {
  sha: Sha;
  ends: string[];
  /** It must be released, whatever happened. */
  mustRelease: boolean;
}

const WATCHED = new Set([`${BRANCHES}main`, `${BRANCHES}release`]);

/** What must become of each commit, from what the world knows: refs, CI, builds. deliverd's own records are not asked. */
export function expectedOf(
  { host, history }: Pick<World, "host" | "history">,
  scenario: Scenario,
  seen: Seen,
): Expected[] {
  return history.all().flatMap((commit): Expected[] => {
    const { sha, buildFails } = commit;
    const index = seen.repoOf.get(sha) ?? 0;
    const repo = host.repos[index];
    const state = host.checks.get(sha)?.[0]?.state;
    if (repo === undefined || state !== "passed") return [];
    const refs = [...repo.refs].filter(([ref]) => WATCHED.has(ref) || ref.startsWith(`${TAGS}v`));
    const isHeld = refs.some(([, tip]) => history.ancestors(tip).has(sha));
    if (!isHeld) return [];
    if (buildFails) return [{ sha, ends: ["failed", "superseded", "cancelled", "delivered"], mustRelease: false }];
    const ends = ["delivered"];
    // A version that went to another commit, a name that somebody else has, a person's word, or a newer commit may end it as well.
    if (seen.moved.has(sha) || seen.squatted.has(sha)) ends.push("failed");
    if (seen.touched.has(sha)) ends.push("cancelled");
    const isOvertaken = history.all().some((other) => other.sha !== sha && history.ancestors(other.sha).has(sha));
    if (scenario.repos[index]?.supersede && isOvertaken) ends.push("superseded");
    return [{ sha, ends, mustRelease: ends.length === 1 }];
  });
}
