import * as z from "zod";
import { fitOf, shownAddress } from "../delivery/webhook-address.ts";
import { remoteText } from "../http/remote-text.ts";
import type { WebhookAddress } from "./webhook-registration.ts";

/** A webhook as a host's list gives it. */
export interface ListedHook {
  /** The host's id. */
  id: string;
  /** Where it sends to. */
  url: string;
  /** The newest has the highest: a number that the host counts up, or a time. */
  order: number;
}

/** The webhooks that lead to this deliverd: the one with the right address first, then the newest. */
export function ownHooks<Hook extends ListedHook>(hooks: readonly Hook[], { url, others }: WebhookAddress): Hook[] {
  const rank = (each: Hook) => (fitOf(each.url, url, others) === "same" ? 0 : 1);
  return hooks
    .filter((each) => fitOf(each.url, url, others) !== "foreign")
    .toSorted((a, b) => rank(a) - rank(b) || b.order - a.order);
}

/** Names webhooks of deliverd that stand beside the one that is used. */
export function doublesText(doubles: readonly ListedHook[]): string {
  const shown = doubles.map(({ id, url }) => `${shownAddress(url)} (id ${id})`);
  return `beside it there ${doubles.length === 1 ? "is" : "are"} ${shown.join(", ")}`;
}

const problem = z.object({ detail: z.string() });

/** What the receiver of a webhook answered, in one line: the detail of a problem of deliverd's, or the text. */
export function receiverAnswer(body: string): string {
  try {
    const read = problem.safeParse(JSON.parse(body));
    return remoteText(read.success ? read.data.detail : body);
  } catch {
    return remoteText(body);
  }
}
