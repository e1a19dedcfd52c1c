import { printable } from "./printable.ts";
import type { DeliveryState } from "./types.ts";

/** The state and text of a commit status. */
export interface StatusText {
  state: "pending" | "success" | "failure" | "error";
  description: string;
}

/** GitHub refuses a longer description: https://docs.github.com/en/rest/commits/statuses#create-a-commit-status */
const MAX_DESCRIPTION_LENGTH = 140;

/** The context of an artifact's commit status: `deliverd/<artifact>`, or `deliverd` where no artifact is known. */
export function statusContext(artifact: string | null): string {
  return artifact === null ? "deliverd" : `deliverd/${artifact}`;
}

/**
 * Whether deliverd set this status itself: its own reports say nothing about CI. Hosts compare contexts without case.
 */
export function isOwnContext(context: string): boolean {
  return /^deliverd(?:\/|$)/i.test(context);
}

/**
 * The commit status of a delivery.
 * @param because why it is in this state
 * @param bad a waiting commit whose CI is red or late
 */
export function statusText(state: DeliveryState, because: string, bad: boolean): StatusText {
  const description = oneLine(because);
  switch (state) {
    case "waiting":
      return { state: bad ? "failure" : "pending", description };
    case "queued":
    case "building":
    case "publishing":
      return { state: "pending", description };
    case "delivered":
      return { state: "success", description };
    case "failed":
      return { state: "failure", description };
    case "cancelled":
    case "superseded":
      return { state: "error", description };
    case "ignored":
      return { state: "error", description: oneLine(`not delivered: ${because}`) };
  }
}

/** The description of a commit that will fail even if its CI passes. */
export function willFailText(failure: string): string {
  return `will fail once CI is green: ${failure}`;
}

/** The first line of a text, at most 140 UTF-16 units, cut between two words where possible. */
export function oneLine(text: string): string {
  const line = printable((text.split("\n", 1)[0] ?? "").trim());
  if (line.length <= MAX_DESCRIPTION_LENGTH) return line;
  // A host refuses half of a surrogate pair.
  const cut = line.slice(0, MAX_DESCRIPTION_LENGTH - 1).replace(/[\uD800-\uDBFF]$/, "");
  const space = cut.lastIndexOf(" ");
  return `${space > MAX_DESCRIPTION_LENGTH / 2 ? cut.slice(0, space) : cut}…`;
}
