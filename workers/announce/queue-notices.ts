import { createHash } from "node:crypto";
import type { Tx } from "../../src/ledger/ledger.ts";
import { noticeLane, queueNotice, recordEvent } from "../../src/ledger/outbox.ts";
import type { Notice } from "../../src/notices/notice.ts";
import type { Station } from "../station.ts";
import type { OwedNotice } from "./announcer.ts";
import type { Subject } from "./queue-statuses.ts";

/** Owes every receiver this event, once: one row a receiver, so that one that is down holds up no other. */
export async function queueNotices(
  tx: Tx,
  station: Pick<Station, "notifiers">,
  subject: Subject,
  event: Record<string, unknown>,
): Promise<void> {
  const notice: Notice = { id: String(event.id), event };
  if (station.notifiers.length === 0 || !(await recordEvent(tx, notice.id))) return;
  for (const { key, target } of station.notifiers) {
    const id = createHash("sha256").update(`${notice.id} ${key}`).digest("hex").slice(0, 32);
    const payload: OwedNotice = { target, receiver: key, notice };
    await queueNotice(tx, { ...subject, id, payload, lane: noticeLane(key) });
  }
}
