import type { CancelOutcome } from "./cancel.ts";
import { getDelivery, type retryDelivery } from "./deliveries.ts";
import type { Db, Tx } from "./ledger.ts";
import { queueStatuses, type StatusParts } from "./statuses.ts";

type Outcome = CancelOutcome | Awaited<ReturnType<typeof retryDelivery>>;

/**
 * Carries out what a person decides about a delivery, and shows its new state on the commit, in one transaction.
 * @param change retries or cancels it
 */
export function decideByPerson<T extends Outcome>(
  ledger: Db,
  parts: StatusParts,
  id: string,
  change: (tx: Tx) => Promise<T>,
): Promise<T> {
  return ledger.transaction(async (tx) => {
    const outcome = await change(tx);
    const delivery = outcome === "ended" || outcome === "queued" ? await getDelivery(tx, id) : null;
    if (delivery === null) return outcome;
    const { repoId, sha, plan, state, because } = delivery;
    const names = plan?.artifacts.map((artifact) => artifact.name) ?? [];
    await queueStatuses(tx, parts, { repoId, sha, deliveryId: id }, names, state, because);
    return outcome;
  });
}
