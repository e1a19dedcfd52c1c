import { randomUUID } from "node:crypto";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { holdDuty } from "../../src/ledger/duties.ts";
import { locationOf, type ReleasedLocation, recentLocations } from "../../src/ledger/names.ts";
import { recentArtifacts } from "../../src/ledger/releases.ts";
import type { Jobs } from "../../src/queue/queues.ts";
import type { Run } from "../../src/run.ts";
import type { Station } from "../station.ts";
import { registryOf } from "./registry-of.ts";

const HOUR = 60 * 60_000;
/** Names of releases that are older are the registry's own affair. */
const RECENT = 7 * 24 * HOUR;

/** Once an hour, whoever asks first: queues a look at every name of a recent release. */
export async function queueVerification({ ledger, queues }: Station): Promise<void> {
  // A turn that nobody can renew: it ends after an hour, over all processes and their restarts.
  if (!(await holdDuty(ledger, "verify", randomUUID(), HOUR))) return;
  for (const { repoId: repo, artifact } of await recentArtifacts(ledger, RECENT)) {
    await queues.add("names", { repo, artifact, verify: true });
  }
}

/**
 * Asks the registries whether the names of an artifact's recent releases still stand as we left them. An immutable name
 * that does not is never overwritten: it raises an alarm. @returns the moving names that were changed, to be put back
 */
export async function findChanged(station: Station, job: Jobs["names"], run: Run): Promise<ReleasedLocation[]> {
  const changed: ReleasedLocation[] = [];
  for (const location of await recentLocations(station.ledger, RECENT, job)) {
    const found = await registryOf(station, location.registry).find(location, run, location.content);
    if (found?.digest === location.digest) continue;
    // It may have been moved by ourselves since the ledger was read.
    if ((await locationOf(station.ledger, location))?.digest !== location.digest) continue;
    if (location.immutable) await raiseAlarm(station, location, found?.digest ?? null);
    else {
      station.log.warn("a moving name was changed behind our back: putting it back", factsOf(location, found?.digest));
      changed.push(location);
    }
  }
  return changed;
}

async function raiseAlarm({ ledger, log, drift }: Station, location: ReleasedLocation, found: string | null) {
  const { registry, repository, tag, repoId, sha, digest } = location;
  log.error("an immutable name was changed behind our back: it is left as it is", factsOf(location, found));
  drift.add({ registry });
  const stands = found === null ? "is gone" : `holds ${found}`;
  const because = `${repository}:${tag} in ${registry} ${stands}, and was released as ${digest}: find out who changed it`;
  await recordDecision(ledger, repoId, sha, { action: "alarm", because });
}

function factsOf({ deliveryId, registry, repository, tag, digest }: ReleasedLocation, found: string | null = null) {
  return { delivery: deliveryId, registry, name: `${repository}:${tag}`, released: digest, found };
}
