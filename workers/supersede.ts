import type { Sha } from "../src/delivery/types.ts";
import type { Mirror } from "../src/git/mirror.ts";
import { type Delivery, listUnfinished, requestCancel } from "../src/ledger/deliveries.ts";
import { queueReports } from "./reports.ts";
import type { Station } from "./station.ts";

/**
 * Where a pipeline says `supersede: true`: ends the unfinished deliveries of older commits on the newer one's branch. One
 * that has begun to publish is let through: its names stand already, or soon will.
 */
export async function supersedeOlder(station: Station, mirror: Mirror, newer: Delivery, sha: Sha): Promise<void> {
  if (!newer.plan?.supersede || !newer.ref?.startsWith("refs/heads/")) return;
  for (const older of await listUnfinished(station.ledger, newer.repoId)) {
    const isItsTurn =
      older.id !== newer.id && older.ref === newer.ref && older.plan?.supersede && older.state !== "publishing";
    if (!isItsTurn || !(await mirror.isAncestor(older.sha, sha))) continue;
    const because = `superseded by ${sha}`;
    if ((await requestCancel(station.ledger, older.id, because, "superseded")) !== "ended") continue;
    const subject = { repoId: older.repoId, sha: older.sha, deliveryId: older.id };
    const names = older.plan?.artifacts.map((artifact) => artifact.name) ?? [];
    await station.ledger.transaction((tx) => queueReports(tx, station, subject, names, "superseded", because));
  }
}
