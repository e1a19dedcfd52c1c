import type { Generated } from "kysely";
import type { RepoId, Sha } from "../../delivery/types.ts";

export interface OutboxTable {
  id: string;
  /** `names`: moving names of an artifact that are to be looked at. */
  kind: "status" | "notice" | "names";
  repoId: RepoId;
  sha: Sha;
  deliveryId: string | null;
  payload: string;
  state: "unsent" | "sent" | "dropped";
  /** Rises with every new payload, so that sending an old one marks nothing. */
  revision: number;
  createdAt: number;
  updatedAt: number;
  sentAt: number | null;
  attempts: number;
  retryAt: number | null;
  error: string | null;
  /** Where it goes: one that takes nothing holds up no other. */
  lane: Generated<string>;
  /** Who sends it now. */
  leaseOwner: string | null;
  /** By the store's clock. */
  leaseUntil: number | null;
  /** Rises each time that it is taken. */
  fence: Generated<number>;
  /** 1: once more after it was sent, since a word before it may arrive later. */
  repeats: Generated<number>;
}

/** What was told outside, as long as its subject is known: rows of the outbox go, and must not be told again for that. */
export interface ToldTable {
  /** Of a status' row in the outbox, or of the event that notices told. */
  id: string;
  /** Of what was said last; empty for an event. */
  hash: string;
  at: number;
}

/** What looking at a commit, or at a ref, came to so far. Empty text where a hint names none. */
export interface LooksTable {
  repoId: RepoId;
  sha: string;
  ref: string;
  /** How often it was looked at though nobody told of it. */
  unasked: Generated<number>;
  /** When that was last, by the clock of the process that did. */
  lookedAt: number | null;
  /** Looks in a row that came to no answer. */
  failures: Generated<number>;
  /** After those: not before, by the store's clock. */
  retryAt: number | null;
  /** What the last look cost of the host's limit; null: not known. */
  calls: number | null;
  at: number;
}
