import { printable } from "./printable.ts";
import type { DeliveryState } from "./types.ts";

/** What a commit's page on the host says of one artifact, apart from its address. */
export interface StatusText {
  state: "pending" | "success" | "failure" | "error";
  description: string;
}

/** GitHub cuts at 140 characters; so do we, at a whole word. */
const DESCRIPTION_MAX = 140;

/** The context that a commit status of this artifact bears; `deliverd` alone where no artifact is known. */
export function statusContext(artifact: string | null): string {
  return artifact === null ? "deliverd" : `deliverd/${artifact}`;
}

/** One line for the commit: what the delivery is doing, or why it ended. */
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

/** What a commit says that waits for its CI, and will fail whatever that comes to. */
export function willFailText(failure: string): string {
  return `will fail once CI is green: ${failure}`;
}

export function oneLine(text: string): string {
  const line = printable((text.split("\n", 1)[0] ?? "").trim());
  if (line.length <= DESCRIPTION_MAX) return line;
  // A host refuses half of a surrogate pair.
  const cut = line.slice(0, DESCRIPTION_MAX - 1).replace(/[\uD800-\uDBFF]$/, "");
  const space = cut.lastIndexOf(" ");
  return `${space > DESCRIPTION_MAX / 2 ? cut.slice(0, space) : cut}…`;
}
