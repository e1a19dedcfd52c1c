import { oneLine } from "../../src/delivery/commit-status.ts";
import { Refused, type TransientError, type UserError } from "../../src/delivery/errors.ts";
import type { Sha } from "../../src/delivery/types.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { type Delivery, findDelivery, saveBecause, setState } from "../../src/ledger/deliveries.ts";
import type { KnownRepo } from "../../src/ledger/repos.ts";
import { queueStatuses } from "../announce/queue-statuses.ts";
import type { Station } from "../station.ts";

type Unanswered = TransientError | Refused | UserError;

/**
 * What a commit waits for while its host gives no answer that helps. The same trouble keeps the words of its first time: those of a rate limit, with
 * its seconds, would be another status at each try.
 */
export function waitsForAnswer(
  { mask }: Pick<Station, "mask">,
  host: string,
  { code, message }: Unanswered,
  before: Pick<Delivery, "state" | "because"> | null,
): string {
  const trouble = `waiting for an answer from ${host} (${code}): `;
  if (before?.state === "waiting" && before.because.startsWith(trouble)) return before.because;
  return trouble + oneLine(mask(message));
}

/** A look that found nothing, since the host was not to be had: the commit says so, instead of what it waited for before. */
export async function noteUnanswered(station: Station, repo: KnownRepo, sha: Sha, error: Unanswered): Promise<void> {
  const delivery = await findDelivery(station.ledger, repo.id, sha);
  if (delivery !== null && delivery.state !== "waiting") return;
  // Another bears its name: what waited here will not be delivered from there.
  const isReplaced = error instanceof Refused && error.code === "repo-replaced";
  const because = isReplaced ? error.message : waitsForAnswer(station, repo.host, error, delivery);
  await station.ledger.transaction(async (tx) => {
    await recordDecision(tx, repo.id, sha, { action: isReplaced ? "superseded" : "wait", because });
    if (delivery === null) return;
    if (isReplaced) return void (await setState(tx, delivery.id, { from: ["waiting"], to: "superseded", because }));
    if (!(await saveBecause(tx, delivery.id, because))) return;
    const names = delivery.plan?.artifacts.map((artifact) => artifact.name) ?? [];
    if (names.length === 0) return;
    await queueStatuses(tx, station, { repoId: repo.id, sha, deliveryId: delivery.id }, names, "waiting", because);
  });
}
