import type { Sha } from "../delivery/types.ts";

/** A webhook request as it came. The signature is over the raw bytes. */
export interface RawWebhook {
  /** By lower-case name. Several headers of one name are one text or a list. */
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** A repo in a payload or an answer of the host's API. */
export interface HostRepo {
  /** The host's immutable id, without the hosts key. */
  hostId: string;
  /** May have slashes: a group within a group. */
  owner: string;
  name: string;
  /** Null: the payload does not say. */
  defaultBranch: string | null;
}

/** The event of a hint that says only that the commit exists: whoever has begun to look at it has seen that already. */
export const NEW_COMMIT_EVENT = "new commit";

/** What a webhook says: "look at this commit or ref again". It is never an order to build. */
export interface Hint {
  repo: HostRepo;
  /** The event's name and action, for people: `push`, `check_run completed`. */
  event: string;
  /** The host's id of the webhook request. It is not signed, and for people only. */
  deliveryId: string;
  /** Full ref (`refs/heads/main`). Null: the event names none. */
  ref: string | null;
  /** The commit. Null: the event names none, or an annotated tag's object. */
  sha: Sha | null;
}

/**
 * What a person asked for at the host, as by a button of a check: it is carried out as `POST …/retry` and `…/cancel`
 * are, and only once `mayWrite` has confirmed the right. A host without that ability gives no orders.
 */
export interface Order {
  repo: HostRepo;
  sha: Sha;
  action: "retry" | "cancel";
  /** The login of the person at the host. */
  person: string;
  event: string;
  /** The host's id of the webhook request: a request that comes again is the same order. */
  deliveryId: string;
}

/** What was read from a webhook: hints and orders, or the reason why there is nothing to do. */
export type WebhookReading = { hints: Hint[]; orders?: Order[] } | { ignored: string };

/** Thrown by readHints: the signature is missing, wrong, or of a kind that is not accepted. Answered 401. */
export class BadSignature extends Error {}
/** Thrown by readHints: the body is not JSON, or does not fit its event header. Answered 400 with the message. */
export class MalformedWebhook extends Error {}
