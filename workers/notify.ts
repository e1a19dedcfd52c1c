import { createHash } from "node:crypto";
import type { Tx } from "../src/ledger/ledger.ts";
import { queueNotice } from "../src/ledger/outbox.ts";
import type { Notice } from "../src/notices/notice.ts";
import type { OwedNotice } from "./announce.ts";
import type { Subject } from "./reports.ts";
import type { Station } from "./station.ts";

/** Owes every target this event, once: one row a target, so that one that is down holds up no other. */
export async function queueNotices(
  tx: Tx,
  station: Station,
  subject: Subject,
  event: Record<string, unknown>,
): Promise<void> {
  const notice: Notice = { id: String(event.id), event };
  for (const { target } of station.notifiers) {
    const id = createHash("sha256").update(`${notice.id} ${target}`).digest("hex").slice(0, 32);
    const payload: OwedNotice = { target, notice };
    await queueNotice(tx, { ...subject, id, payload });
  }
}
