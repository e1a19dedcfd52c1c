import * as z from "zod";
import { fitOf, shownAddress } from "../delivery/webhook-address.ts";
import { remoteText } from "../http/remote-text.ts";
import type { WebhookAddress } from "./webhook-registration.ts";

/** A webhook as a host's list gives it, with where it sends to. */
interface Placed<Hook> {
  hook: Hook;
  id: number;
  url: string;
}

/** The webhooks that lead to this deliverd: the one with the right address first, then the newest. */
export function ownHooks<Hook extends { id: number }>(
  hooks: readonly Hook[],
  urlOf: (hook: Hook) => string,
  { url, others }: WebhookAddress,
): Hook[] {
  const placed: Placed<Hook>[] = hooks.map((hook) => ({ hook, id: hook.id, url: urlOf(hook) }));
  const rank = (each: Placed<Hook>) => (fitOf(each.url, url, others) === "same" ? 0 : 1);
  return placed
    .filter((each) => fitOf(each.url, url, others) !== "foreign")
    .toSorted((a, b) => rank(a) - rank(b) || b.id - a.id)
    .map(({ hook }) => hook);
}

/** Names webhooks of deliverd that stand beside the one that is used. */
export function doublesText(doubles: readonly { id: number; url: string }[]): string {
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
