import { Refused, TransientError } from "../../src/delivery/errors.ts";
import { backOff } from "../../src/delivery/retry.ts";
import { hiddenPathAddress } from "../../src/delivery/webhook-address.ts";
import type { QueuedNotice } from "../../src/ledger/notices.ts";
import { markDropped, markFailed, markSent, type OutboxEntry } from "../../src/ledger/outbox.ts";
import { claimOutbox, dueLanes, releaseOutboxLease } from "../../src/ledger/outbox-leases.ts";
import { getRepo } from "../../src/ledger/repos.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { type Notifier, placeOf } from "../../src/notices/notice.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import { inTrace } from "../../src/observe/span.ts";
import { confirmIdentity } from "../commit/repo-identity.ts";
import { doProofTask, type ProofParts } from "../proof/tasks.ts";
import type { Station } from "../station.ts";
import { sendReport } from "./send-report.ts";

const AT_ONCE = 8;
const SEND_LIMIT = 30_000;
/** How long another worker keeps the rows that it took (ms): longer than any send that does not hang. */
const TAKEN_FOR = 45_000;

type AnnounceParts = Pick<
  Station,
  "ledger" | "queues" | "hosts" | "identities" | "notifiers" | "log" | "mask" | "owner"
> &
  ProofParts;

/**
 * Sends the rows of the outbox until none is due. A row that failed is due again later. At least once, each with its
 * own id.
 */
export async function announce(station: AnnounceParts): Promise<void> {
  const announcer = new Announcer(station);
  await announcer.wake();
  await announcer.idle();
}

/**
 * Sends each lane of the outbox by itself: a host or receiver that does not answer holds up its own rows alone. Where a
 * status is replaced while it is sent, the same sender sends the new one next, so that none overtakes another.
 */
export class Announcer {
  readonly #station: AnnounceParts;
  readonly #takenFor: number;
  readonly #lanes = new Map<string, { work: Promise<void>; again: boolean }>();
  #stopping = false;

  constructor(station: AnnounceParts, takenFor = TAKEN_FOR) {
    this.#station = station;
    this.#takenFor = takenFor;
  }

  /** Begins to send whatever is due, and returns at once. */
  async wake(): Promise<void> {
    for (const lane of await dueLanes(this.#station.ledger)) {
      const running = this.#lanes.get(lane);
      if (running !== undefined) running.again = true;
      else if (!this.#stopping) this.#begin(lane);
    }
  }

  /** Resolves when nothing is being sent. */
  async idle(): Promise<void> {
    while (this.#lanes.size > 0) await Promise.all([...this.#lanes.values()].map(({ work }) => work));
  }

  /** Takes no more rows, and waits for those that are being sent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.idle();
  }

  #begin(lane: string): void {
    const work = this.#send(lane)
      .catch((error: unknown) =>
        this.#station.log.error("the outbox could not be sent; the sweep comes back to it", {
          // The lanes of rows of older versions hold the whole address.
          lane: lane.replace(/https?:\S+/, hiddenPathAddress),
          error,
        }),
      )
      .finally(() => this.#lanes.delete(lane));
    this.#lanes.set(lane, { work, again: false });
  }

  async #send(lane: string): Promise<void> {
    const { ledger, owner, queues } = this.#station;
    let soonest: number | null = null;
    while (!this.#stopping) {
      const entry = this.#lanes.get(lane);
      if (entry !== undefined) entry.again = false;
      const due = await claimOutbox(ledger, AT_ONCE, this.#takenFor, { owner, lane });
      if (due.length === 0 && !this.#lanes.get(lane)?.again) break;
      const waits = await Promise.all(due.map((row) => sendInTrace(this.#station, row)));
      for (const wait of waits) if (wait !== null) soonest = Math.min(soonest ?? wait, wait);
    }
    if (soonest !== null) await queues.add("announce", {}, { delay: soonest });
  }
}

function sendInTrace(station: AnnounceParts, row: OutboxEntry): Promise<number | null> {
  const { repoId, sha, deliveryId, kind } = row;
  const facts = { delivery: deliveryId ?? undefined, repo: repoId, sha, kind };
  return inTrace({ repoId, commit: sha }, kind, facts, () => send(station, row));
}

/** @returns in how many ms the row is to be tried again; null: never */
async function send(station: AnnounceParts, row: OutboxEntry): Promise<number | null> {
  const { ledger } = station;
  const { id, revision, fence } = row;
  const facts = { delivery: row.deliveryId, kind: row.kind, sha: row.sha };
  let retryIn: number | null = null;
  let isWritten: boolean;
  try {
    await sendByKind(station, row);
    failpoint("announce.sent");
    isWritten = await markSent(ledger, id, revision, fence);
    failpoint("announce.marked");
  } catch (error) {
    const message = station.mask(error instanceof Error ? error.message : String(error));
    if (error instanceof Refused) {
      station.log.error("it will never be taken; not sent again", { ...facts, error });
      isWritten = await markDropped(ledger, id, revision, message, fence);
    } else {
      retryIn = backOff(row.attempts + 1, Math.random(), error instanceof TransientError ? error.retryAfter : null);
      station.log.warn("could not be sent; trying again", { ...facts, error, retryIn });
      isWritten = await markFailed(ledger, id, revision, message, retryIn, fence);
    }
  }
  if (isWritten) return retryIn;
  await releaseOutboxLease(ledger, row);
  return null;
}

async function sendByKind(station: AnnounceParts, row: OutboxEntry): Promise<void> {
  switch (row.kind) {
    case "status":
      return sendStatus(station, row);
    case "notice":
      return sendNotice(station, row.payload as QueuedNotice);
    case "proof":
      return doProofTask(station, row, AbortSignal.timeout(SEND_LIMIT));
    case "names":
      throw new Error("moving names are written by workers/names/");
  }
}

async function sendStatus(station: AnnounceParts, row: OutboxEntry): Promise<void> {
  const repo = await getRepo(station.ledger, row.repoId);
  if (repo === null) throw new Refused("repo-unknown", `no repo ${row.repoId}`);
  const seen = await confirmIdentity(station, repo).catch((error: unknown) => {
    // A repo that its host no longer shows would be asked for again and again, for ever.
    throw error instanceof TransientError && error.code === "repo-not-shown"
      ? new Refused(error.code, error.message)
      : error;
  });
  const known = { ...repo, ...seen, defaultBranch: seen.defaultBranch ?? "" };
  await sendReport(station, known, row);
}

async function sendNotice(station: AnnounceParts, queued: QueuedNotice): Promise<void> {
  const notifier = receiverOf(station.notifiers, queued);
  if (notifier === null) {
    throw new Refused("notice-target-gone", `notices: ${hiddenPathAddress(queued.target)} is no longer configured`);
  }
  const at = await storeTime(station.ledger);
  await notifier.send(queued.notice, AbortSignal.timeout(SEND_LIMIT), at);
}

/** Found by its key; else the only receiver at its address: the key changes with a secret in the query. */
function receiverOf(notifiers: readonly Notifier[], { receiver, place, target }: QueuedNotice): Notifier | null {
  const known = notifiers.find((each) => each.key === receiver);
  const at = place ?? placeOf(target);
  const [only, ...more] = notifiers.filter((each) => each.place === at);
  return known ?? (more.length === 0 ? only : undefined) ?? null;
}
