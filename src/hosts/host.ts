import type { Annotation } from "../delivery/report-summary.ts";
import type { CiState, CommitRef, DeliveryState, Gate, Repo } from "../delivery/types.ts";
import type { Hint, HostRepo, Order, RawWebhook, WebhookReading } from "./webhook.ts";
import type { HostWebhooks } from "./webhook-registration.ts";

export {
  BadSignature,
  type Hint,
  type HostRepo,
  MalformedWebhook,
  NEW_COMMIT_EVENT,
  type Order,
  type RawWebhook,
  type WebhookReading,
} from "./webhook.ts";

export type {
  HostWebhooks,
  WebhookAddress,
  WebhookChange,
  WebhookDelivery,
  WebhookState,
} from "./webhook-registration.ts";

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

/** What the host tried to tell, and could not. */
export interface LostWebhooks {
  hints: Hint[];
  orders: Order[];
  /** Where to begin the next time, in ms since the epoch by the host's clock. */
  until: number;
}

/** How deliverd logs in at a host. */
export interface HostLogin {
  /** For people: `the App acme-deliverd, installed in acme`. */
  name: string;
  /** What it lacks, each in words for people. Empty: nothing. */
  faults: string[];
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
  /** False: it cannot say which repos an owner has, so deliverd hears of them by name and by webhooks. Left out: true. */
  readonly listsRepos?: boolean;
  /**
   * CI sends its results to `POST /api/v1/ci`, and the host's secret signs them. Verifies such a request.
   * @throws BadSignature
   */
  verifyCi?(request: RawWebhook): void;
  /** How long a report may stay pending (ms) before it is sent again, so that the host does not give it up. */
  readonly pendingReportLife?: number;
  /**
   * The webhooks since then that the host could not deliver. Called again, it may give the same again.
   * @param since ms since the epoch, by the host's clock
   * @throws TransientError
   */
  lostWebhooks?(since: number): Promise<LostWebhooks>;
  /** Checks the login, where it is more than a token. @param owners whose repos it has to reach @throws TransientError */
  checkLogin?(owners: readonly string[]): Promise<HostLogin>;
  /** Registers and checks webhooks. Left out: the host has no API for that. */
  readonly webhooks?: HostWebhooks;
}
