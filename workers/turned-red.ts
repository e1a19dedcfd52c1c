import { turnedRedEvent } from "../src/delivery/announcement.ts";
import { oneLine } from "../src/delivery/reports.ts";
import { describeRelease, iso } from "../src/ledger/catalog.ts";
import { recordDecision } from "../src/ledger/decisions.ts";
import { type Delivery, setState } from "../src/ledger/deliveries.ts";
import { listReleases } from "../src/ledger/releases.ts";
import { queueNotices } from "./notify.ts";
import type { Station } from "./station.ts";

/** CI that turns red after the release: kept, shown on the delivery, told to whoever is told of releases. Nothing is taken back. */
export async function noteTurnedRed(station: Station, delivery: Delivery, reason: string): Promise<void> {
  const { id, repoId, sha } = delivery;
  const because = `CI turned red after the release: ${reason}; what is published stays`;
  const seen = { errors: oneLine(station.mask(reason)), time: iso(station.clock.now()) };
  const isNews = await station.ledger.transaction(async (tx) => {
    await setState(tx, id, { from: ["delivered"], to: "delivered", because });
    const { items } = await listReleases(tx, { repoId, sha, limit: 200 });
    for (const release of items) {
      const event = turnedRedEvent(await describeRelease(tx, release), station.config.publicUrl, seen);
      await queueNotices(tx, station, { repoId, sha, deliveryId: id }, event);
    }
    return recordDecision(tx, repoId, sha, { action: "ignore", because });
  });
  if (isNews) station.log.warn(because, { delivery: id });
}
