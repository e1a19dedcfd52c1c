import type { Annotation } from "../delivery/report-summary.ts";
import type { CiState, CommitRef, DeliveryState, Gate, Repo } from "../delivery/types.ts";
import type { HostRepo, Order, RawWebhook, WebhookReading } from "./webhook.ts";

export {
  BadSignature,
  type Hint,
  type HostRepo,
  MalformedWebhook,
  type Order,
  type RawWebhook,
  type WebhookReading,
} from "./webhook.ts";

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

/** What deliverd says of an artifact, or of the pipeline, on the commit. Each host shows of it what it can. */
export interface Report {
  /** `deliverd/<artifact>` or `deliverd`. */
  context: string;
  state: "pending" | "success" | "failure" | "error";
  /** One line. The host may shorten it. */
  description: string;
  targetUrl: string;
  /** Only for a host that `showsDetails`. */
  details?: ReportDetails;
}

export interface ReportDetails {
  deliveryId: string;
  stage: DeliveryState;
  /** Markdown: versions, digests, where they are, how to pull them. */
  summary: string;
  /** Places in the repo's files that a failure is about. */
  annotations: Annotation[];
  /** What the person who reads it may ask for, if the host has buttons. */
  actions: Order["action"][];
  /** ms since the epoch. */
  startedAt: number | null;
  finishedAt: number | null;
}

/** What is on record about earlier reports under the same context of the same commit. */
export interface ReportHistory {
  /** The last one that the host took. Null: none is on record. */
  last: Report | null;
  /** This very report was sent before, and nobody knows whether it arrived: a host that adds a row looks first. */
  isRepeat: boolean;
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
  /** The repo with this name now. Null: the host has no such repo, or does not show it. @throws TransientError */
  findRepo(owner: string, name: string): Promise<HostRepo | null>;
  /**
   * The repos that the host shows of an owner and, where owners nest, of those within it. Empty: there is no such
   * owner, or no repo. @throws TransientError
   */
  listRepos(owner: string): Promise<HostRepo[]>;
  /**
   * What is left of the limit on API calls, by the host's last answer. Null: not known, as where no header says it.
   * @param account as `accountOf` gives it. Left out: the account that has the least left
   */
  budget(account?: string): Budget | null;
  /**
   * Does the work.
   * @returns how many of its API calls counted against the host's limit; an unchanged answer does not
   */
  counted(work: () => Promise<void>): Promise<number>;
  /**
   * The CI state of a commit by the gate, without our own statuses. `ciStateBy` makes it. `retryAt`: when to ask again
   * even if nothing new is reported (ms since the epoch).
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
   * Puts the report on the commit. Repeated, it changes nothing that a person sees. For one context of a commit it is
   * never called twice at a time.
   * @throws TransientError to retry later, Refused if it will never be accepted
   */
  report(commit: CommitRef, report: Report, history?: ReportHistory): Promise<void>;

  // What only some hosts can do. Left out: the host cannot, or differs in nothing.

  /** The repo with this immutable id, whatever it is called now. Null: the host shows none. @throws TransientError */
  findRepoById?(hostId: string): Promise<HostRepo | null>;
  /** Whether a person may write to the repo: whose orders are carried out. @throws TransientError */
  mayWrite?(repo: Repo, person: string): Promise<boolean>;
  /** The account (installation, token) whose limit the calls for an owner use. Left out: one for all. */
  accountOf?(owner: string): string;
  /** False: no webhook says that CI has ended, so a waiting commit is asked for every 30 to 60 s. Left out: true. */
  readonly sendsCiEvents?: boolean;
  /** The host adds a row for each report: one that says nothing new is not sent. */
  readonly appendsReports?: boolean;
  /** The host shows more than a line: `report` gets `details`. */
  readonly showsDetails?: boolean;
  /** Registers and checks webhooks. Left out: the host has no API for that. */
  readonly webhooks?: HostWebhooks;
}
