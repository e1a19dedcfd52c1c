import { createHash } from "node:crypto";
import type { Notice, Notifier } from "../notices/notice.ts";
import type { Tx } from "./ledger.ts";
import { noticeLane, queueNotice, recordEvent } from "./outbox.ts";
import type { Subject } from "./statuses.ts";

/** The payload of a notice's row in the outbox: one row for each receiver. */
export interface QueuedNotice {
  /** Scheme and host of the receiver, for people. In rows of older versions the path too, by which it is found. */
  target: string;
  /** The receiver's key. Rows of older versions have none. */
  receiver?: string;
  /** Identifies the receiver's address without its query. */
  place?: string;
  notice: Notice;
}

/**
 * Queues this event for every receiver, once. Each receiver has a row of its own, so that one that is down holds up no
 * other.
 */
export async function queueNotices(
  tx: Tx,
  { notifiers }: { notifiers: readonly Pick<Notifier, "key" | "place" | "target">[] },
  subject: Subject,
  event: Record<string, unknown>,
): Promise<void> {
  const notice: Notice = { id: String(event.id), event };
  if (notifiers.length === 0 || !(await recordEvent(tx, notice.id))) return;
  for (const { key, place, target } of notifiers) {
    const id = createHash("sha256").update(`${notice.id} ${key}`).digest("hex").slice(0, 32);
    const payload: QueuedNotice = { target, place, receiver: key, notice };
    await queueNotice(tx, { ...subject, id, payload, lane: noticeLane(key) });
  }
}
