import type { Generated } from "kysely";
import type { RepoId, Sha } from "../../delivery/types.ts";

export interface OutboxTable {
  id: string;
  /** `names`: an update of an artifact's moving names · `proof`: a proof that is to be signed or put somewhere. */
  kind: "status" | "notice" | "names" | "proof";
  repoId: RepoId;
  sha: Sha;
  deliveryId: string | null;
  payload: string;
  state: "unsent" | "sent" | "dropped";
  /** Increases with every new payload, so that a sender of an old one cannot mark the new one as sent. */
  revision: number;
  createdAt: number;
  updatedAt: number;
  sentAt: number | null;
  attempts: number;
  retryAt: number | null;
  error: string | null;
  /** The destination: one that does not answer must not delay others. */
  lane: Generated<string>;
  /** The process that sends it now. */
  leaseOwner: string | null;
  /** By the database's clock. */
  leaseUntil: number | null;
  /** Increases with each lease. */
  fence: Generated<number>;
  /** 1: send it once more after it was sent, because an older payload may still arrive after it. */
  repeats: Generated<number>;
  /** Of a status: the payload that the host took last. Null: none yet. */
  said: string | null;
}

/** What was announced. It outlives rows of the outbox, so that nothing is announced again after its row was deleted. */
export interface ToldTable {
  /** The id of a status in the outbox, or of an event. */
  id: string;
  /** The hash of the last payload; empty for an event. */
  hash: string;
  at: number;
}

/** The history of evaluations of a commit or a ref. `sha` or `ref` is empty if the hint names none. */
export interface LooksTable {
  repoId: RepoId;
  sha: string;
  ref: string;
  /** How often it was evaluated without a hint (polled). */
  unasked: Generated<number>;
  /** The time of the last poll, by the clock of the process that polled. */
  lookedAt: number | null;
  /** Consecutive evaluations that failed. */
  failures: Generated<number>;
  /** After a failure, the earliest time of the next evaluation, by the database's clock. */
  retryAt: number | null;
  /** How many calls to the host the last evaluation took; null if not known. */
  calls: number | null;
  at: number;
}
