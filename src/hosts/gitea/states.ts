import type { CheckState } from "../../delivery/types.ts";

/**
 * Every state of a commit status. `warning` holds a required check up in Gitea before 1.25 and in Forgejo, and deliverd
 * does the same for all. `running` comes from old versions.
 */
const STATES: ReadonlyMap<string, CheckState> = new Map([
  ["success", "passed"],
  ["skipped", "passed"],
  ["failure", "failed"],
  ["error", "failed"],
  ["warning", "failed"],
  ["pending", "pending"],
  ["running", "pending"],
]);

export function stateOf(word: string): CheckState {
  return STATES.get(word) ?? "unknown";
}
