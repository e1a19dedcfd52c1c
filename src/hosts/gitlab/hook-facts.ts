import * as z from "zod";
import { remoteText } from "../../http/remote-text.ts";
import type { WebhookDelivery } from "../host.ts";
import { receiverAnswer } from "../own-hooks.ts";
import { label, time } from "../payload.ts";
import type { HostHook } from "../rest/webhooks.ts";
import { readAnswer } from "./payload.ts";

const isSet = z.boolean().nullish();

/** A webhook of a project or a group: https://docs.gitlab.com/api/project_webhooks/ */
const hook = z.object({
  id: z.number().int(),
  url: z.string(),
  push_events: isSet,
  tag_push_events: isSet,
  pipeline_events: isSet,
  job_events: isSet,
  enable_ssl_verification: isSet,
  push_events_branch_filter: z.string().nullish(),
  branch_filter_strategy: z.string().nullish(),
  custom_webhook_template: z.string().nullish(),
  // Only newer versions tell these three.
  alert_status: z.string().nullish(),
  token_present: isSet,
  signing_token_present: isSet,
});

type GitLabHook = z.output<typeof hook>;

/** The events that a webhook of deliverd is registered for. */
export const WEBHOOK_EVENTS = ["push_events", "tag_push_events", "pipeline_events", "job_events"] as const;

/** @param bySignature the secret is a signing token @throws TransientError where the items have another shape. */
export function readHooks(items: unknown[], bySignature: boolean): HostHook[] {
  return readAnswer("a webhook", hook, items).map((each) => ({
    id: String(each.id),
    url: each.url,
    order: each.id,
    faults: faultsOf(each, bySignature),
  }));
}

/** GitLab has switched it off, for a while or until a person tests it. */
function isSwitchedOff({ alert_status }: GitLabHook): boolean {
  return alert_status != null && alert_status !== "executable";
}

/** What keeps a webhook from bringing deliverd what it reads. */
function faultsOf(each: GitLabHook, bySignature: boolean): string[] {
  const missing = WEBHOOK_EVENTS.filter((event) => each[event] !== true);
  const hasFilter = each.branch_filter_strategy !== "all_branches" && Boolean(each.push_events_branch_filter);
  const faults: [boolean, string][] = [
    [isSwitchedOff(each), `GitLab has switched it off (${remoteText(each.alert_status ?? "")}), after failures`],
    [!bySignature && each.token_present === false, "it has no secret token"],
    [bySignature && each.signing_token_present === false, "it has no signing token"],
    [each.enable_ssl_verification === false, "it does not verify the TLS certificate"],
    [hasFilter, "it sends pushes of some branches only"],
    [Boolean(each.custom_webhook_template), "it sends a custom template, not GitLab's own body"],
    [missing.length > 0, `it does not send ${missing.join(", ")}`],
  ];
  return faults.flatMap(([applies, text]) => (applies ? [text] : []));
}

/** One request of a webhook: https://docs.gitlab.com/api/project_webhooks/#list-all-events-for-a-webhook */
const event = z.object({
  id: z.number(),
  trigger: label,
  // GitLab writes `internal error` where it got no answer.
  response_status: z.union([z.string(), z.number()]).nullish(),
  response_body: z.string().nullish(),
  // s
  execution_duration: z.number().nullish(),
  created_at: time.nullish(),
});

/** @throws TransientError where the items have another shape. */
export function readDeliveries(items: unknown[]): WebhookDelivery[] {
  return readAnswer("an event of a webhook", event, items).map((each) => {
    const code = Number(each.response_status ?? Number.NaN);
    const status = Number.isInteger(code) && code > 0 ? code : null;
    const isTaken = status !== null && status >= 200 && status < 300;
    return {
      id: String(each.id),
      at: each.created_at ?? 0,
      event: remoteText(each.trigger),
      status,
      duration: Math.round((each.execution_duration ?? 0) * 1000),
      failure: isTaken ? null : receiverAnswer(each.response_body ?? String(each.response_status ?? "no answer")),
    };
  });
}
