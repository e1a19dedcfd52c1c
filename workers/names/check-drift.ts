import { randomUUID } from "node:crypto";
import { anySignal } from "../../src/async/any-signal.ts";
import { TransientError, throwPreferringTransient } from "../../src/delivery/errors.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { holdDuty } from "../../src/ledger/duties.ts";
import { type ReleasedLocation, recentLocations } from "../../src/ledger/locations.ts";
import { queueNameVerification } from "../../src/ledger/name-updates.ts";
import { recentArtifacts } from "../../src/ledger/releases.ts";
import type { Jobs } from "../../src/queue/queues.ts";
import type { Registry } from "../../src/registries/registry.ts";
import type { Run } from "../../src/run/run.ts";
import { standingUnder } from "../commit/names-in-ledger.ts";
import type { Station } from "../station.ts";
import { registryOf } from "./registry-of.ts";

const HOUR = 60 * 60_000;
/** Names of older releases are not checked (ms). */
const RECENT = 7 * 24 * HOUR;

/** What checking uses of the station. */
export type DriftParts = Pick<Station, "config" | "ledger" | "log" | "drift"> & {
  registries: ReadonlyMap<string, Pick<Registry, "find">>;
};

/** Once an hour, by the process that asks first: queues a check of every name of a recent release. */
export async function queueVerification({ ledger, queues }: Pick<Station, "ledger" | "queues">): Promise<void> {
  // An owner that nobody else can be: the turn ends after an hour, for all processes and their restarts.
  if (!(await holdDuty(ledger, "verify", randomUUID(), HOUR))) return;
  for (const { repoId: repo, artifact } of await recentArtifacts(ledger, RECENT)) {
    await queues.add("names", { repo, artifact, verify: true });
  }
}

/** A registry that could not be asked is asked again after so long (ms). */
const ASK_AGAIN = 5 * 60_000;
/** How long one registry may take for all of an artifact's names (ms). */
const REGISTRY_LIMIT = 2 * 60_000;

/**
 * Asks the registries whether the names of an artifact's recent releases still hold what we published. An immutable
 * name that does not is never overwritten: it raises an alarm. A registry that does not answer is asked again later,
 * and holds up no other.
 * @returns the moving names that were changed, to be written again
 */
export async function findChanged(station: DriftParts, job: Jobs["names"], run: Run): Promise<ReleasedLocation[]> {
  const locations = await recentLocations(station.ledger, RECENT, job);
  const registries = [...new Set(locations.map(({ registry }) => registry))];
  const found = await Promise.all(
    registries.map(async (registry) => {
      const changed: ReleasedLocation[] = [];
      const its = locations.filter((each) => each.registry === registry);
      try {
        const signal = anySignal(run.signal, AbortSignal.timeout(REGISTRY_LIMIT));
        await checkAll(station, its, { ...run, signal }, changed);
      } catch (error) {
        station.log.warn("a registry could not be asked whether its names still stand; it is asked again", {
          ...{ registry, artifact: job.artifact, error },
        });
        const [{ repoId, sha, deliveryId }] = its as [ReleasedLocation];
        const subject = { repoId, sha, deliveryId, artifact: job.artifact };
        await station.ledger.transaction((tx) => queueNameVerification(tx, subject, ASK_AGAIN));
      }
      return changed;
    }),
  );
  return found.flat();
}

/** A registry that is down ends the check; a name that it refuses to show does not. */
async function checkAll(station: DriftParts, locations: ReleasedLocation[], run: Run, changed: ReleasedLocation[]) {
  const refusals: unknown[] = [];
  for (const location of locations) {
    try {
      if (await isChanged(station, location, run)) changed.push(location);
    } catch (error) {
      if (error instanceof TransientError || run.signal.aborted) throw error;
      refusals.push(error);
    }
  }
  throwPreferringTransient(refusals);
}

/** Whether it is a moving name that no longer holds what we published. An immutable name raises the alarm. */
async function isChanged(station: DriftParts, location: ReleasedLocation, run: Run): Promise<boolean> {
  const found = await registryOf(station, location.registry).find(location, run, location.content);
  if (found?.digest === location.digest) return false;
  // We may have moved it since the ledger was read, or through another key of the same registry.
  if ((await standingUnder(station, location, location.kind))?.digest !== location.digest) return false;
  if (location.immutable) {
    await raiseAlarm(station, location, found?.digest ?? null);
    return false;
  }
  station.log.warn("a moving name was changed behind our back: putting it back", factsOf(location, found?.digest));
  return true;
}

async function raiseAlarm({ ledger, log, drift }: DriftParts, location: ReleasedLocation, found: string | null) {
  const { registry, repository, tag, repoId, sha, digest } = location;
  log.error("an immutable name was changed behind our back: it is left as it is", factsOf(location, found));
  drift.add({ registry });
  const stands = found === null ? "is gone" : `holds ${found}`;
  const name = `${repository}:${tag} in ${registry}`;
  const because = `${name} ${stands}, and was released as ${digest}: find out who changed it`;
  await recordDecision(ledger, repoId, sha, { action: "alarm", because });
}

function factsOf({ deliveryId, registry, repository, tag, digest }: ReleasedLocation, found: string | null = null) {
  return { delivery: deliveryId, registry, name: `${repository}:${tag}`, released: digest, found };
}
