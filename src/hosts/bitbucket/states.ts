import type { CheckState } from "../../delivery/types.ts";
import type { Report } from "../host.ts";

/**
 * Every word of Bitbucket for the state of a build. `STOPPED` is Cloud's, `CANCELLED` and `UNKNOWN` are Data Center's.
 * A build whose state its own CI calls unknown has not passed.
 * https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/ and
 * https://developer.atlassian.com/server/bitbucket/how-tos/updating-build-status-for-commits/
 */
const STATES: ReadonlyMap<string, CheckState> = new Map([
  ["SUCCESSFUL", "passed"],
  ["INPROGRESS", "pending"],
  ["FAILED", "failed"],
  ["STOPPED", "failed"],
  ["CANCELLED", "failed"],
  ["UNKNOWN", "failed"],
]);

export function stateOf(word: string): CheckState {
  return STATES.get(word) ?? "unknown";
}

/** @param stopped the word for what a person or a newer commit has ended */
export function wordOf(state: Report["state"], stopped: "STOPPED" | "CANCELLED"): string {
  switch (state) {
    case "pending":
      return "INPROGRESS";
    case "success":
      return "SUCCESSFUL";
    case "failure":
      return "FAILED";
    case "error":
      return stopped;
  }
}
