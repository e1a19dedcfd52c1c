import { type AfterReleaseCause, afterReleaseEvent } from "../../src/delivery/cloud-events.ts";
import { oneLine } from "../../src/delivery/commit-status.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { type Delivery, setState } from "../../src/ledger/deliveries.ts";
import { describeRelease, iso } from "../../src/ledger/describe-release.ts";
import type { Tx } from "../../src/ledger/ledger.ts";
import { listReleases } from "../../src/ledger/releases.ts";
import type { Station } from "../station.ts";
import { queueNotices } from "./queue-notices.ts";

type Subject = Pick<Delivery, "id" | "repoId" | "sha">;

/** CI that turns red after the release: kept, shown on the delivery, told to whoever is told of releases. Nothing is taken back. */
export async function noteTurnedRed(station: Station, delivery: Subject, reason: string): Promise<void> {
  const because = `CI turned red after the release: ${reason}; what is published stays`;
  await station.ledger.transaction((tx) => note(tx, station, delivery, "ci-red", because, reason));
}

/** The same of a branch that left the commit while its names were being written. */
export async function noteGone(station: Station, delivery: Subject, reason: string): Promise<void> {
  const because = `the commit was taken away while its names were being written: ${reason}; what is published stays`;
  await station.ledger.transaction((tx) => note(tx, station, delivery, "gone", because, reason));
}

/** The same of a person who cancelled the delivery while its names were being written. */
export async function noteCancelledLate(tx: Tx, station: Station, delivery: Subject): Promise<void> {
  const reason = "a person cancelled it while its names were being written";
  await note(tx, station, delivery, "cancelled", `${reason}: it was finished, and what is published stays`, reason);
}

async function note(
  tx: Tx,
  station: Station,
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
