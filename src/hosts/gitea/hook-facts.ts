import * as z from "zod";
import { remoteText } from "../../http/remote-text.ts";
import type { HostHook } from "../rest/webhooks.ts";
import { readAnswer } from "./payload.ts";

/** A webhook of a repo or an organisation. Gitea shows neither its secret nor whether there is one. */
const hook = z.object({
  id: z.number().int(),
  active: z.boolean(),
  events: z.array(z.string()),
  branch_filter: z.string().nullish(),
  config: z.object({ url: z.string().default(""), content_type: z.string().nullish() }),
});

/** Every version sends these. A push tells of new branches and tags too, and only `delete` of a branch that is gone. */
const EVENTS = ["push", "delete"] as const;

/** What says that CI has ended: the first is Gitea's, which its Actions send too, the others are Forgejo's. */
const CI_EVENTS = ["status", "action_run_failure", "action_run_recover", "action_run_success"] as const;

/** What a webhook is registered for. A server passes over events that it does not have. */
export const WEBHOOK_EVENTS: readonly string[] = [...EVENTS, ...CI_EVENTS];

/**
 * @param sendsStatus whether this server has the event `status`
 * @throws TransientError where the items have another shape
 */
export function readHooks(items: unknown[], sendsStatus: boolean): HostHook[] {
  return readAnswer("a webhook", hook, items).map(({ id, active, events, branch_filter, config }) => {
    const wanted: string[] = sendsStatus ? [...EVENTS, "status"] : [...EVENTS];
    const missing = wanted.filter((event) => !events.includes(event));
    const excess = events.filter((event) => !WEBHOOK_EVENTS.includes(event));
    const faults: [boolean, string][] = [
      [!active, "it is switched off"],
      [config.content_type !== "json", "it sends forms, not JSON"],
      [Boolean(branch_filter) && branch_filter !== "*", "it sends pushes of some branches only"],
      [missing.length > 0, `it does not send ${missing.join(", ")}`],
    ];
    return {
      id: String(id),
      url: config.url,
      order: id,
      faults: faults.flatMap(([applies, text]) => (applies ? [text] : [])),
      excess: excess.length === 0 ? [] : [`it also sends ${excess.map((event) => remoteText(event)).join(", ")}`],
    };
  });
}
