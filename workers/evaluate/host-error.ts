import { oneLine } from "../../src/delivery/commit-status.ts";
import { Refused, type TransientError, type UserError } from "../../src/delivery/errors.ts";
import type { Sha } from "../../src/delivery/types.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { type Delivery, findDelivery, saveBecause, setState } from "../../src/ledger/deliveries.ts";
import type { KnownRepo } from "../../src/ledger/repos.ts";
import { queueStatuses, type StatusParts } from "../../src/ledger/statuses.ts";
import type { Station } from "../station.ts";

/** Why a host gave no answer that a decision could rest on. */
export type HostFailure = TransientError | Refused | UserError;

/**
 * The reason that a commit shows while it waits for its host. The same error code keeps the text of its first time: the
 * seconds of a rate limit would make another status at each try.
 */
export function waitsForHost(
  { mask }: Pick<Station, "mask">,
  host: string,
  { code, message }: HostFailure,
  before: Pick<Delivery, "state" | "because"> | null,
): string {
  const start = `waiting for an answer from ${host} (${code}): `;
  if (before?.state === "waiting" && before.because.startsWith(start)) return before.because;
  return start + oneLine(mask(message));
}

/** An evaluation failed because of the host: the commit says so, instead of the reason that it waited for before. */
export async function recordHostError(
  station: StatusParts & Pick<Station, "ledger">,
  repo: KnownRepo,
  sha: Sha,
  error: HostFailure,
): Promise<void> {
  const delivery = await findDelivery(station.ledger, repo.id, sha);
  if (delivery !== null && delivery.state !== "waiting") return;
  // Another repo has its name: what waited here will not be delivered from there.
  const isReplaced = error instanceof Refused && error.code === "repo-replaced";
  const because = isReplaced ? error.message : waitsForHost(station, repo.host, error, delivery);
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
