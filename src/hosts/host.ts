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
}
