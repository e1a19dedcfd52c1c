import { type AfterReleaseCause, afterReleaseEvent } from "../../src/delivery/cloud-events.ts";
import { oneLine } from "../../src/delivery/commit-status.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { type Delivery, setState } from "../../src/ledger/deliveries.ts";
import { describeRelease, iso } from "../../src/ledger/describe-release.ts";
import type { Tx } from "../../src/ledger/ledger.ts";
import { queueNotices } from "../../src/ledger/notices.ts";
import { listReleases } from "../../src/ledger/releases.ts";
import type { Station } from "../station.ts";

type Subject = Pick<Delivery, "id" | "repoId" | "sha">;

/** What a report after the release uses of the station. */
export type AfterReleaseParts = Pick<Station, "config" | "ledger" | "mask" | "clock" | "notifiers" | "log">;

/**
 * CI turned red after the release: shown on the delivery, and sent to the receivers of notices. Nothing is taken back.
 */
export async function reportRedAfterRelease(
  station: AfterReleaseParts,
  delivery: Subject,
  reason: string,
): Promise<void> {
  const because = `CI turned red after the release: ${reason}; what is published stays`;
  await station.ledger.transaction((tx) => report(tx, station, delivery, "ci-red", because, reason));
}

/** No branch or tag holds the commit any more, since a change while its names were being written. */
export async function reportGone(station: AfterReleaseParts, delivery: Subject, reason: string): Promise<void> {
  const because = `the commit was removed while its names were being written: ${reason}; what is published stays`;
  await station.ledger.transaction((tx) => report(tx, station, delivery, "gone", because, reason));
}

/** A person cancelled the delivery while its names were being written. */
export async function reportCancelledLate(
  tx: Tx,
  station: Omit<AfterReleaseParts, "ledger">,
  delivery: Subject,
): Promise<void> {
  const reason = "a person cancelled it while its names were being written";
  await report(tx, station, delivery, "cancelled", `${reason}: it was finished, and what is published stays`, reason);
}

async function report(
  tx: Tx,
  station: Omit<AfterReleaseParts, "ledger">,
  { id, repoId, sha }: Subject,
  what: AfterReleaseCause,
  because: string,
  reason: string,
): Promise<void> {
  const seen = { what, errors: oneLine(station.mask(reason)), time: iso(station.clock.now()) };
  await setState(tx, id, { from: ["delivered"], to: "delivered", because });
  const { items } = await listReleases(tx, { repoId, sha, limit: 200 });
  for (const release of items) {
    const event = afterReleaseEvent(await describeRelease(tx, release), station.config.publicUrl, seen);
    await queueNotices(tx, station, { repoId, sha, deliveryId: id }, event);
  }
  const isNews = await recordDecision(tx, repoId, sha, { action: "ignore", because });
  if (isNews) station.log.warn(because, { delivery: id });
}
