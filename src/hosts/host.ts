import type { CiState, CommitRef, Gate, Repo, Sha } from "../delivery/types.ts";

/** A webhook request as it came: the raw bytes are what was signed. */
export interface RawWebhook {
  /** By their names in small letters; several of one name as one text or as a list. */
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** The host's own id and the names of a repo, as a payload or the API tells them. */
export interface HostRepo {
  /** The host's immutable id, without the hosts key. */
  hostId: string;
  owner: string;
  name: string;
  /** Null where a payload does not say. */
  defaultBranch: string | null;
}

/** "Look at this commit or ref again": never an order to build. */
export interface Hint {
  repo: HostRepo;
  /** The event's name and action, for people: `push`, `check_run completed`. */
  event: string;
  /** The host's id of this delivery. Not signed: for people only. */
  deliveryId: string;
  /** Full ref (`refs/heads/main`), where the event names one. */
  ref: string | null;
  /** The commit, where the event names one. An annotated tag's push names the tag object: then null. */
  sha: Sha | null;
}

/** What a webhook comes to: hints, or a reason why there is nothing to look at. */
export type WebhookReading = { hints: Hint[] } | { ignored: string };

/** Thrown by readHints: the signature is missing, wrong, or of a kind we do not take. Answered 401. */
export class BadSignature extends Error {}
/** Thrown by readHints: not JSON, or not what its event header says. Answered 400; the message names what is wrong. */
export class MalformedWebhook extends Error {}

/** Where to fetch from, with short-lived credentials that never enter the URL. */
export interface CloneSource {
  url: string;
  /** `Authorization` header value, or null for an open repo. Never logged. */
  authorization: string | null;
}

/** API calls that the host still takes. */
export interface Budget {
  remaining: number;
  /** ms since the epoch, by our clock: when it is whole again. */
  resetsAt: number;
}

/** What deliverd says of one artifact (or, with no artifact, of the pipeline) on a commit. */
export interface Report {
  /** `deliverd/<artifact>` or `deliverd`. */
  context: string;
  state: "pending" | "success" | "failure" | "error";
  /** One line; the host cuts it. */
  description: string;
  targetUrl: string;
}

export interface Host {
  /** Verifies and normalises one request. Pure apart from the signature check. */
  readHints(request: RawWebhook): Promise<WebhookReading>;
  /** The repo as the host knows it now, by its current name. Null: the host has no such repo, or does not show it to us. */
  findRepo(owner: string, name: string): Promise<HostRepo | null>;
  /** The repos of an owner that the host shows us. Empty: no such owner, or none. @throws TransientError. */
  listRepos(owner: string): Promise<HostRepo[]>;
  /** What is left of the host's limit on API calls, by its last answer; null: it has not said. */
  budget(): Budget | null;
  /** Does the work, and tells how many of its calls counted against the host's limit: an answer that had not changed does not. */
  counted(work: () => Promise<void>): Promise<number>;
  /**
   * The CI state at exactly that sha, our own contexts left out, judged by the gate. `branches` (short) let the host say
   * which checks it requires: what any of them requires is required. `retryAt` (ms since the epoch): when to ask again though nothing is reported till then.
   * @throws TransientError when the host does not answer or limits us: nothing is concluded from that. Refused when it
   * has no such commit.
   */
  ciState(
    commit: CommitRef,
    gate: Gate,
    branches: readonly string[],
    now: number,
  ): Promise<CiState & { because: string; retryAt: number | null }>;
  cloneSource(repo: Repo): Promise<CloneSource>;
  /** Idempotent. @throws TransientError to be sent again later, Refused when the host will never take it. */
  report(commit: CommitRef, report: Report): Promise<void>;
}
