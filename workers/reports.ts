import { contextOf, statusText } from "../src/delivery/reports.ts";
import type { DeliveryState, RepoId, Sha } from "../src/delivery/types.ts";
import type { Tx } from "../src/ledger/ledger.ts";
import { queueStatus } from "../src/ledger/outbox.ts";
import type { Station } from "./station.ts";

export interface Subject {
  repoId: RepoId;
  sha: Sha;
  deliveryId: string;
}

/** Says on the commit how it stands with these artifacts; with none known, under `deliverd` alone. Sent later, from the outbox. */
export async function queueReports(
  tx: Tx,
  { config, mask }: Pick<Station, "config" | "mask">,
  subject: Subject,
  artifacts: string[],
  state: DeliveryState,
  because: string,
  bad = false,
): Promise<void> {
  const text = statusText(state, mask(because), bad);
  if (text === null) return;
  const targetUrl = deliveryPage(config.publicUrl, subject.deliveryId);
  for (const artifact of artifacts.length === 0 ? [null] : artifacts) {
    await queueStatus(tx, { ...subject, payload: { context: contextOf(artifact), ...text, targetUrl } });
  }
}

function deliveryPage(publicUrl: string, id: string): string {
  return `${publicUrl.replace(/\/+$/, "")}/deliveries/${id}`;
}
