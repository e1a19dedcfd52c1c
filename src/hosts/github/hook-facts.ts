import * as z from "zod";
import { remoteText } from "../../http/remote-text.ts";
import type { WebhookDelivery } from "../host.ts";
import { receiverAnswer } from "../own-hooks.ts";
import { label, time } from "../payload.ts";
import type { HostHook } from "../rest/webhooks.ts";
import { readAnswer } from "./payload.ts";

/** A webhook of a repo or an organisation: https://docs.github.com/en/rest/repos/webhooks */
const hook = z.object({
  id: z.number().int(),
  active: z.boolean(),
  events: z.array(z.string()),
  config: z.object({
    url: z.string().default(""),
    // Older servers leave out what was never set: their default is a form.
    content_type: z.string().nullish(),
    // Shown as asterisks where there is one.
    secret: z.string().nullish(),
    insecure_ssl: z.union([z.string(), z.number()]).nullish(),
  }),
});

type GitHubHook = z.output<typeof hook>;

/** @param wanted the events that deliverd reads @throws TransientError where the items have another shape. */
export function readHooks(items: unknown[], wanted: readonly string[]): HostHook[] {
  return readAnswer("a webhook", hook, items).map((each) => ({
    id: String(each.id),
    url: each.config.url,
    order: each.id,
    faults: faultsOf(each, wanted),
    excess: excessOf(each, wanted),
  }));
}

/** What keeps a webhook from bringing deliverd what it reads. */
export function faultsOf({ active, events, config }: GitHubHook, wanted: readonly string[]): string[] {
  const missing = events.includes("*") ? [] : wanted.filter((event) => !events.includes(event));
  const faults: [boolean, string][] = [
    [!active, "it is switched off"],
    [config.content_type !== "json", "it sends forms, not JSON"],
    [!config.secret, "it has no secret"],
    [String(config.insecure_ssl ?? "0") !== "0", "it does not verify the TLS certificate"],
    [missing.length > 0, `it does not send ${missing.join(", ")}`],
  ];
  return faults.flatMap(([applies, text]) => (applies ? [text] : []));
}

/** What it sends for nothing: deliverd ignores every other event. */
function excessOf({ events }: GitHubHook, wanted: readonly string[]): string[] {
  if (events.includes("*")) return ["it sends every event"];
  const excess = events.filter((event) => !wanted.includes(event));
  return excess.length === 0 ? [] : [`it also sends ${excess.map((event) => remoteText(event)).join(", ")}`];
}

const delivery = z.object({
  id: z.union([z.number(), z.string()]),
  delivered_at: time,
  // Seconds.
  duration: z.number(),
  status: z.string(),
  status_code: z.number(),
  event: label,
  action: z.string().nullish(),
});

/** @throws TransientError where the items have another shape. */
export function readDeliveries(items: unknown[]): WebhookDelivery[] {
  return readAnswer("a delivery of a webhook", delivery, items).map((each) => ({
    id: String(each.id),
    at: each.delivered_at,
    event: each.action ? `${each.event} ${remoteText(each.action)}` : each.event,
    status: each.status_code === 0 ? null : each.status_code,
    duration: Math.round(each.duration * 1000),
    failure: each.status_code >= 200 && each.status_code < 300 ? null : remoteText(each.status),
  }));
}

const answered = z.object({ response: z.object({ payload: z.string().nullish() }).nullish() });

/** What the receiver answered, in one line: the detail of a problem of deliverd's, or the text. Empty: nothing. */
export function answerOf(item: unknown): string {
  const payload = answered.safeParse(item).data?.response?.payload ?? "";
  return receiverAnswer(payload);
}
