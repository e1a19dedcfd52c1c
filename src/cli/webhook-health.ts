import type { ServerConfig } from "../config/server.ts";
import { isLoopback, webhookUrl } from "../delivery/webhook-address.ts";
import type { WebhookAddress, WebhookDelivery, WebhookState } from "../hosts/host.ts";

/** Where the webhooks of a host have to go. */
export function addressOf({ publicUrl, hosts }: ServerConfig, key: string): WebhookAddress {
  const others = Object.keys(hosts).filter((other) => other !== key);
  return { url: webhookUrl(publicUrl, key), others: others.map((other) => webhookUrl(publicUrl, other)) };
}

/** Whether a git host elsewhere is to send to an address that only this machine can reach. */
export function isOutOfReach({ publicUrl, hosts }: ServerConfig, key: string): boolean {
  const cloneUrl = hosts[key]?.cloneUrl ?? "";
  return isLoopback(publicUrl) && URL.canParse(cloneUrl) && !isLoopback(cloneUrl);
}

/** What is wrong with a webhook, each in words for people. Empty: nothing. */
export function webhookFaults(state: WebhookState): string[] {
  switch (state.kind) {
    case "registered":
      return [...state.webhook.faults, ...newestFault(state)];
    case "missing":
      return [
        `there is no webhook of deliverd${state.unseen === null ? "" : `, as far as can be seen: ${state.unseen}`}`,
      ];
    case "hidden":
      return [`the token may not see webhooks: ${state.because}`];
  }
}

type Registered = Extract<WebhookState, { kind: "registered" }>;

/** Only the newest delivery counts: an older failure may have been before a repair. */
function newestFault({ webhook, deliveries: [newest] }: Registered): string[] {
  const fault = newest === undefined ? null : deliveryFault(newest);
  // deliverd answers 4xx to what a wrong registration sends, so that is no second fault.
  const isExplained = webhook.faults.length > 0 && newest?.status != null && newest.status < 500;
  return fault === null || isExplained ? [] : [fault];
}

/** Null: the delivery was taken. */
export function deliveryFault({ status, failure }: WebhookDelivery): string | null {
  if (failure === null) return null;
  const answer = status === null ? "was not answered" : `was answered ${status}`;
  return `the newest delivery ${answer}: ${failure.replace(/\.$/, "")}. ${meaningOf(status)}`;
}

function meaningOf(status: number | null): string {
  if (status === null) return "Let the host reach publicUrl: check its name, the firewall and the TLS certificate.";
  if (status === 401) return "The secret at the host is not webhookSecret.";
  if (status === 404) return "publicUrl leads to another server, or a proxy does not pass /webhooks/ on to deliverd.";
  if (status === 415) return "The webhook has to send JSON.";
  if (status >= 500) return "Look at the log of deliverd, and at the proxy in front of it.";
  if (status >= 300 && status < 400) return "Hosts follow no redirect: publicUrl must be the final address.";
  return "Check what stands in front of deliverd: it does not answer so by itself.";
}
