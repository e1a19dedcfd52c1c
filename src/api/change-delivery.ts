import { quoted } from "../delivery/printable.ts";
import type { Sha } from "../delivery/types.ts";
import { type Actor, addToAudit } from "../ledger/audit.ts";
import { decideByPerson } from "../ledger/by-person.ts";
import { requestCancel } from "../ledger/cancel.ts";
import { recordDecision } from "../ledger/decisions.ts";
import { type Delivery, getDelivery, retryDelivery } from "../ledger/deliveries.ts";
import { findRepo } from "../ledger/repos.ts";
import { Problem } from "../receiver/problem.ts";
import { nameInReason } from "./actor.ts";
import type { ApiOptions } from "./options.ts";

/** What changing a delivery uses of the API's parts. */
export type ChangeOptions = Pick<ApiOptions, "ledger" | "statuses" | "onDeliveryChanged">;

/** Cancels a delivery, and records who did. @returns the delivery afterwards @throws Problem 404 or 409 */
export async function cancelDelivery(options: ChangeOptions, delivery: Delivery, actor: Actor): Promise<Delivery> {
  const { ledger, statuses } = options;
  const { id, state, repoId, sha } = delivery;
  const name = nameInReason(actor);
  const outcome = await decideByPerson(ledger, statuses, id, async (tx) => {
    const result = await requestCancel(tx, id, name === undefined ? undefined : `cancelled by ${name}`);
    const said = AUDITED_CANCELS[result];
    if (said !== null) await addToAudit(tx, { ...actor, action: "cancel", repoId, sha, outcome: said });
    return result;
  });
  switch (outcome) {
    case "ended":
    case "requested":
      return changed(options, id);
    case "too-late":
      throw new Problem(409, `A delivery that is ${state} cannot be cancelled.`);
    case "naming": {
      const because = "a person cancelled it while its names were being written: it is finished all the same";
      await recordDecision(ledger, repoId, sha, { action: "ignore", because });
      throw new Problem(
        409,
        "The names of this delivery are being written. It will be finished, so that no name is without its release. " +
          "A notice will report your request.",
      );
    }
    case "unknown":
      throw noDelivery(id);
  }
}

/** What the audit says of a request to cancel. Null: nothing changed. */
const AUDITED_CANCELS: Record<Awaited<ReturnType<typeof requestCancel>>, string | null> = {
  ended: "it is cancelled",
  requested: "its worker is asked to stop",
  naming: "its names are being written, so it is finished all the same",
  "too-late": null,
  unknown: null,
};

/** Queues a delivery again, and records who did. @returns the delivery afterwards @throws Problem 404 or 409 */
export async function retryFailed(options: ChangeOptions, delivery: Delivery, actor: Actor): Promise<Delivery> {
  const { ledger, statuses } = options;
  const { id, state, repoId, sha } = delivery;
  const name = nameInReason(actor);
  const outcome = await decideByPerson(ledger, statuses, id, async (tx) => {
    const result = await retryDelivery(tx, id, name === undefined ? undefined : `tried again by ${name}`);
    if (result === "queued")
      await addToAudit(tx, { ...actor, action: "retry", repoId, sha, outcome: "it is tried again" });
    return result;
  });
  switch (outcome) {
    case "queued":
      return changed(options, id);
    case "impossible":
      throw new Problem(409, `A delivery that is ${state} cannot be retried.`);
    case "unknown":
      throw noDelivery(id);
  }
}

/** Asks for an evaluation of a commit, and records who did. @throws Problem of `requestCommit` */
export async function requestDelivery(
  { ledger, requestCommit }: Pick<ApiOptions, "ledger" | "requestCommit">,
  { repo, sha }: { repo: string; sha: Sha },
  actor: Actor,
): Promise<void> {
  await requestCommit(repo, sha);
  const [known = null] = await findRepo(ledger, repo);
  const outcome = "the commit is evaluated";
  await addToAudit(ledger, { ...actor, action: "deliver", repoId: known?.id ?? null, sha, outcome });
}

async function changed({ ledger, onDeliveryChanged }: ChangeOptions, id: string): Promise<Delivery> {
  const delivery = await getDelivery(ledger, id);
  if (delivery === null) throw noDelivery(id);
  onDeliveryChanged(delivery);
  return delivery;
}

export function noDelivery(id: string): Problem {
  return new Problem(404, `There is no delivery ${quoted(id)}. List those that there are with deliverd deliveries.`);
}
