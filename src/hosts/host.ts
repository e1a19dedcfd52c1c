import type { CiState, CommitRef, Gate, Repo, Sha } from "../delivery/types.ts";

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
  owner: string;
  name: string;
  /** Null: the payload does not say. */
  defaultBranch: string | null;
}

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

/** What was read from a webhook: hints, or the reason why there is nothing to do. */
export type WebhookReading = { hints: Hint[] } | { ignored: string };

/** Thrown by readHints: the signature is missing, wrong, or of a kind that is not accepted. Answered 401. */
export class BadSignature extends Error {}
/** Thrown by readHints: the body is not JSON, or does not fit its event header. Answered 400 with the message. */
export class MalformedWebhook extends Error {}

/** Where to fetch from. Credentials are never in the URL. */
export interface CloneSource {
  url: string;
  /** Value of the `Authorization` header, never logged. Null: none is needed. */
  authorization: string | null;
}

/** API calls that the host still allows. */
export interface Budget {
  remaining: number;
  /** When the host resets the limit, in ms since the epoch by our clock. */
  resetsAt: number;
}

/** A commit status that deliverd sets for an artifact, or for the pipeline. */
export interface Report {
  /** `deliverd/<artifact>` or `deliverd`. */
  context: string;
  state: "pending" | "success" | "failure" | "error";
  /** One line. The host may shorten it. */
  description: string;
  targetUrl: string;
}

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

/** `changes`: what was wrong and is right now, in words for people. */
export type WebhookChange =
  | { kind: "added" | "renewed"; url: string }
  | { kind: "repaired"; url: string; changes: string[] }
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
  /** A signed webhook request that says nothing: who answers it as ours has the same secret. */
  ping(): { headers: Record<string, string>; body: Buffer };
}

export interface Host {
  /** Verifies and normalises one webhook request. @throws BadSignature, MalformedWebhook */
  readHints(request: RawWebhook): Promise<WebhookReading>;
  /** The repo with this name now. Null: the host has no such repo, or does not show it. */
  findRepo(owner: string, name: string): Promise<HostRepo | null>;
  /** The repos of an owner that the host shows. Empty: there is no such owner, or no repo. @throws TransientError */
  listRepos(owner: string): Promise<HostRepo[]>;
  /** What is left of the host's limit on API calls, by its last answer. Null: not known. */
  budget(): Budget | null;
  /**
   * Does the work.
   * @returns how many of its API calls counted against the host's limit; an unchanged answer does not
   */
  counted(work: () => Promise<void>): Promise<number>;
  /**
   * The CI state of a commit by the gate, without our own statuses. `retryAt`: when to ask again even if nothing new is
   * reported (ms since the epoch).
   * @param branches short names. What the host requires for any of them is required.
   * @throws TransientError if the host does not answer or limits us: nothing is concluded from that. Refused if it has
   *   no such commit.
   */
  ciState(
    commit: CommitRef,
    gate: Gate,
    branches: readonly string[],
    now: number,
  ): Promise<CiState & { because: string; retryAt: number | null }>;
  cloneSource(repo: Repo): Promise<CloneSource>;
  /**
   * Sets a commit status. It may be repeated.
   * @throws TransientError to retry later, Refused if it will never be accepted
   */
  report(commit: CommitRef, report: Report): Promise<void>;
  /** Registers and checks webhooks. Left out: the host has no API for that. */
  readonly webhooks?: HostWebhooks;
}
