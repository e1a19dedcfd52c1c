import { settleCancelled } from "../../src/ledger/cancel.ts";
import { dueEvaluations, duePreparations } from "../../src/ledger/due-deliveries.ts";
import { pendingTargets } from "../../src/ledger/hints.ts";
import { dueDeliveries } from "../../src/ledger/leases.ts";
import { dueNameUpdates } from "../../src/ledger/name-updates.ts";
import { queueStatuses, type StatusParts } from "../../src/ledger/statuses.ts";
import type { Station } from "../station.ts";

/** Counts commits and refs, not hints: many hints about one commit must not hold up the others. */
const TARGETS_AT_ONCE = 1_000;
/** Each of them waits for spare room anyway. */
const PREPARATIONS_AT_ONCE = 100;
/** A younger hint (ms) is most likely queued or under evaluation, unless this process has just begun. */
const HINT_AGE = 5_000;

/**
 * Queues from the ledger all work that may have lost its job: Redis lost it, a process died between ledger and queue,
 * or a lease ran out. Asks no host. A job that is queued already is not queued twice.
 * @param hintAge ms; younger hints are left out
 */
export async function sweep(
  station: StatusParts & Pick<Station, "ledger" | "queues">,
  hintAge = HINT_AGE,
): Promise<void> {
  const { ledger, queues } = station;
  for (const { repoId, sha, ref } of await pendingTargets(ledger, TARGETS_AT_ONCE, hintAge)) {
    await queues.add("evaluate", { repo: repoId, sha, ref });
  }
  for (const { repoId, sha } of await dueEvaluations(ledger, TARGETS_AT_ONCE))
    await queues.add("evaluate", { repo: repoId, sha, ref: null });
  await ledger.transaction(async (tx) => {
    for (const ended of await settleCancelled(tx)) {
      const subject = { repoId: ended.repoId, sha: ended.sha, deliveryId: ended.id };
      const names = ended.plan?.artifacts.map((artifact) => artifact.name) ?? [];
      await queueStatuses(tx, station, subject, names, ended.state, ended.because);
    }
  });
  for (const delivery of await dueDeliveries(ledger)) await queues.add("deliver", { delivery: delivery.id });
  for (const delivery of await duePreparations(ledger, PREPARATIONS_AT_ONCE)) await queues.add("prepare", { delivery });
  for (const { repoId: repo, artifact, mustVerify } of await dueNameUpdates(ledger))
    await queues.add("names", { repo, artifact, ...(mustVerify ? { verify: true } : {}) });
  await queues.add("announce", {});
}
