import type { HostRepo } from "./webhook.ts";

/** Where deliverd takes the webhooks of a host, as `webhookAddress` makes it. */
export interface WebhookAddress {
  /** `<publicUrl>/webhooks/<key under hosts>` */
  url: string;
  /** The addresses of the other hosts in the configuration: their webhooks are not this host's. */
  others: readonly string[];
}

/** A webhook of deliverd, as the host shows it. */
export interface RegisteredWebhook {
  /** The host's id. */
  id: string;
  /** Where it sends to, without the query, which may hold a secret. */
  url: string;
  /** `owner`: it is registered once for all repos of the organisation or group. */
  on: "repo" | "owner";
  /** What is wrong with it, each in words for people. Empty: nothing that the host shows. */
  faults: string[];
}

/** One webhook request, as the host saw it. */
export interface WebhookDelivery {
  /** The host's id. */
  id: string;
  /** ms since the epoch. */
  at: number;
  event: string;
  /** The HTTP status that the host received. Null: no response. */
  status: number | null;
  /** ms. */
  duration: number;
  /** Why the host counts it as failed, with what the receiver answered. Null: it was taken. */
  failure: string | null;
}

/** `hidden`: the token may not see webhooks. `missing` with `unseen`: a place that the token may not see may have one. */
export type WebhookState =
  | { kind: "registered"; webhook: RegisteredWebhook; deliveries: WebhookDelivery[] }
  | { kind: "missing"; unseen: string | null }
  | { kind: "hidden"; because: string };

/**
 * `changes`: what was wrong and is right now, in words for people. `pings: false`: the host does not send a webhook at
 * once that shows whether it arrives.
 */
export type WebhookChange =
  | { kind: "added" | "renewed"; url: string; pings?: false }
  | { kind: "repaired"; url: string; changes: string[]; pings?: false }
  | { kind: "covered"; url: string };

/** The host's API for webhooks. All calls are about a repo that `findRepo` gave. */
export interface HostWebhooks {
  /** The webhook of the repo or its owner, and its last deliveries, newest first. @throws TransientError */
  check(repo: HostRepo, address: WebhookAddress): Promise<WebhookState>;
  /**
   * Registers the webhook with the host's secret and all events that `readHints` reads, or repairs the one that is there.
   * `renewed`: nothing was wrong; the secret, which no host shows, was set again. `covered`: the owner's webhook does it.
   * @throws TransientError; Refused if the token lacks the right, or the host does not take the address
   */
  add(repo: HostRepo, address: WebhookAddress): Promise<WebhookChange>;
  /** Removes the webhooks of deliverd from the repo, and no others. @returns their URLs @throws TransientError, Refused */
  remove(repo: HostRepo, address: WebhookAddress): Promise<string[]>;
  /** False: the host's API lists no deliveries, so nobody sees what came of a test. Left out: true. */
  readonly listsDeliveries?: boolean;
  /** A signed webhook request that says nothing: who answers it as ours has the same secret. */
  ping(): { headers: Record<string, string>; body: Buffer };
}
