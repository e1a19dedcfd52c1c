import type { CheckState } from "../../delivery/types.ts";

/**
 * Every word in GitLab's documentation for the state of a job or a pipeline. `manual` waits for a person.
 * https://docs.gitlab.com/api/pipelines/
 */
const STATES: ReadonlyMap<string, CheckState> = new Map([
  ["success", "passed"],
  ["skipped", "passed"],
  ["failed", "failed"],
  ["canceled", "failed"],
  ["created", "pending"],
  ["waiting_for_resource", "pending"],
  ["waiting_for_callback", "pending"],
  ["preparing", "pending"],
  ["pending", "pending"],
  ["running", "pending"],
  ["canceling", "pending"],
  ["scheduled", "pending"],
  ["manual", "pending"],
]);

export function stateOf(word: string): CheckState {
  return STATES.get(word) ?? "unknown";
}
