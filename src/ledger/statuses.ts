import { statusContext, statusText } from "../delivery/commit-status.ts";
import type { DeliveryState, RepoId, Sha } from "../delivery/types.ts";
import type { Mask } from "../observe/mask.ts";
import type { Tx } from "./ledger.ts";
import { queueStatus, replaceStatus } from "./outbox.ts";

/**
 * The status of a stage is sent this much later (ms): the next stage mostly comes sooner, and its status takes the
 * place of this one.
 */
export const STATUS_DEBOUNCE_MS = 300;

/** The commit that a status is shown on, and the delivery that it links to. */
export interface Subject {
  repoId: RepoId;
  sha: Sha;
  deliveryId: string;
}

/** What a status is made of besides its subject. */
export interface StatusParts {
  config: { publicUrl: string };
  mask: Mask;
}

/**
 * Puts the state of these artifacts on the commit; with no artifacts, under `deliverd` alone. It is sent later, from
 * the outbox. `ignored` is shown only where another status was shown before.
 */
export async function queueStatuses(
  tx: Tx,
  { config, mask }: StatusParts,
  subject: Subject,
  artifacts: string[],
  state: DeliveryState,
  because: string,
  bad = false,
): Promise<void> {
  const text = statusText(state, mask(because), bad);
  const targetUrl = deliveryPage(config.publicUrl, subject.deliveryId);
  for (const artifact of artifacts.length === 0 ? [null] : artifacts) {
    const queue = state === "ignored" ? replaceStatus : queueStatus;
    await queue(tx, { ...subject, payload: { context: statusContext(artifact), ...text, targetUrl } });
  }
}

/**
 * Replaces the failure that a bad pipeline file left, once the file can be followed, as after a change of the server.
 */
export async function clearBadPlan(
  tx: Tx,
  { config }: Pick<StatusParts, "config">,
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
