import { statusContext, statusText } from "../../src/delivery/commit-status.ts";
import type { DeliveryState, RepoId, Sha } from "../../src/delivery/types.ts";
import type { Tx } from "../../src/ledger/ledger.ts";
import { queueStatus, replaceStatus } from "../../src/ledger/outbox.ts";
import type { Station } from "../station.ts";

/** What is said of a stage waits so long (ms): the next one mostly comes sooner, and its status takes the place of this one's. */
export const STATUS_DEBOUNCE_MS = 300;

export interface Subject {
  repoId: RepoId;
  sha: Sha;
  deliveryId: string;
}

/**
 * Says on the commit how it stands with these artifacts; with none known, under `deliverd` alone. Sent later, from the
 * outbox. A commit that is ignored is told so only where it was told something else before.
 */
export async function queueStatuses(
  tx: Tx,
  { config, mask }: Pick<Station, "config" | "mask">,
  subject: Subject,
  artifacts: string[],
  state: DeliveryState,
  because: string,
  bad = false,
): Promise<void> {
  const text = statusText(state, mask(because), bad);
  const targetUrl = deliveryPage(config.publicUrl, subject.deliveryId);
  for (const artifact of artifacts.length === 0 ? [null] : artifacts) {
    const say = state === "ignored" ? replaceStatus : queueStatus;
    await say(tx, { ...subject, payload: { context: statusContext(artifact), ...text, targetUrl } });
  }
}

/** A pipeline file that was bad, and is not any more, as after the server's side was mended: the old failure must not stay. */
export async function clearBadPlan(
  tx: Tx,
  { config }: Pick<Station, "config">,
  { repoId, sha, deliveryId }: Subject,
): Promise<void> {
  const targetUrl = deliveryPage(config.publicUrl, deliveryId);
  const payload = {
    context: statusContext(null),
    state: "success",
    description: "the pipeline file can be followed",
    targetUrl,
  };
  await replaceStatus(tx, { repoId, sha, deliveryId, payload });
}

function deliveryPage(publicUrl: string, id: string): string {
  return `${publicUrl.replace(/\/+$/, "")}/deliveries/${id}`;
}
