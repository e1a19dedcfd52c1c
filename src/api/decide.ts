import { type Delivery, getDelivery } from "../ledger/deliveries.ts";
import type { Ledger, Tx } from "../ledger/ledger.ts";
import { queueStatuses, type StatusParts } from "../ledger/statuses.ts";

/**
 * Carries out what a person decides about a delivery, and puts its new state on the commit, in one transaction.
 * @param change retries or cancels it, and says whether it did
 */
export function decideByPerson<T>(
  ledger: Ledger,
  parts: StatusParts,
  id: string,
  change: (tx: Tx) => Promise<T>,
): Promise<T> {
  return ledger.transaction(async (tx) => {
    const answer = await change(tx);
    const delivery = await getDelivery(tx, id);
    if (delivery?.state === "queued" || delivery?.state === "cancelled") await showState(tx, parts, delivery);
    return answer;
  });
}

async function showState(
  tx: Tx,
  parts: StatusParts,
  { id, repoId, sha, plan, state, because }: Delivery,
): Promise<void> {
  const names = plan?.artifacts.map((artifact) => artifact.name) ?? [];
  await queueStatuses(tx, parts, { repoId, sha, deliveryId: id }, names, state, because);
}
