import { isDeepStrictEqual } from "node:util";
import { Refused, throwPreferringTransient } from "../../src/delivery/errors.ts";
import { assignMovingNames } from "../../src/delivery/moving-names.ts";
import type { ArtifactName, Repo } from "../../src/delivery/types.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import { getLocation, type ReleasedLocation } from "../../src/ledger/locations.ts";
import { pendingNameUpdate } from "../../src/ledger/name-updates.ts";
import type { NamedRelease } from "../../src/ledger/named-releases.ts";
import { markSent } from "../../src/ledger/outbox.ts";
import { getRelease } from "../../src/ledger/releases.ts";
import { getRepo } from "../../src/ledger/repos.ts";
import type { StatusParts } from "../../src/ledger/statuses.ts";
import { inTrace } from "../../src/observe/span.ts";
import type { Jobs } from "../../src/queue/queues.ts";
import type { Run } from "../../src/run/run.ts";
import { isSame } from "../commit/immutable-names.ts";
import { MAX_REF_AGE_MS, type SyncParts, syncMirror } from "../commit/sync-mirror.ts";
import type { Station } from "../station.ts";
import { type RepoNames, readRepoNames, updateLatest } from "./candidates.ts";
import { type DriftParts, findChanged } from "./check-drift.ts";
import { type Loss, reportLosses } from "./lost-names.ts";
import { registryOf } from "./registry-of.ts";
import { type WriteParts, writeName } from "./write-name.ts";

const LIMIT = 10 * 60_000;
/** The ledger may change while a name is written. After so many rounds the next job goes on. */
const ROUNDS = 5;

/** What writing moving names uses of the station. */
type PlaceParts = WriteParts & Pick<Station, "store">;
/** What reconciling uses of the station. */
export type ReconcileParts = PlaceParts &
  SyncParts &
  DriftParts &
  StatusParts &
  Pick<Station, "config" | "queues" | "tmp" | "clock">;

/**
 * Moves an artifact's moving names to where they belong: computes from ledger and refs what they should hold, writes
 * those that differ, and repeats that until none differs. The order in which deliveries ended does not matter.
 */
export async function reconcileNames(station: ReconcileParts, job: Jobs["names"]): Promise<void> {
  const known = await getRepo(station.ledger, job.repo);
  if (known === null) return;
  // Read before anything else: an update that is queued later must not be marked as done.
  const pending = await pendingNameUpdate(station.ledger, { repoId: job.repo, artifact: job.artifact });
  const signal = AbortSignal.timeout(LIMIT);
  const run: Run = { log: { line: () => {}, write: () => {} }, signal, tmp: station.tmp, clock: station.clock };
  let changed = job.verify ? await findChanged(station, job, run) : [];
  let before: unknown;
  for (let round = 0; round < ROUNDS; round++) {
    const { repo, mirror, refs } = await syncMirror(station, known, signal, { age: MAX_REF_AGE_MS });
    const naming = await readRepoNames(station, repo, mirror, refs);
    const facts = [repo, refs, naming.releases];
    if (isDeepStrictEqual(facts, before)) break;
    before = facts;
    await updateLatest(station, repo, job.artifact, naming);
    const { wanted, lost } = namesWanted(naming, job.artifact);
    const placed = await placeAll(station, repo, [...wanted, ...unclaimed(changed, wanted, naming)], changed, run);
    await reportLosses(station, repo, job.artifact, [...lost, ...placed.lost], naming.releases);
    changed = [];
    if (!placed.wrote) break;
  }
  if (pending !== null) await markSent(station.ledger, pending.id, pending.revision);
}

interface Wanted {
  name: ArtifactName;
  release: NamedRelease;
}

/** The names that releases of this artifact should hold, and those that they ask for in vain. */
function namesWanted(
  { candidates, releases, refs, tags }: RepoNames,
  artifact: string,
): { wanted: Wanted[]; lost: Loss[] } {
  const own = new Map(releases.filter((each) => each.artifact === artifact).map((each) => [each.id, each]));
  const wanted: Wanted[] = [];
  const lost: Loss[] = [];
  for (const { name, holder, losers } of assignMovingNames(candidates, refs, tags)) {
    const { registry, repository, tag } = name;
    const release = own.get(holder ?? "");
    if (release !== undefined) wanted.push({ name, release });
    for (const { releaseId, because } of losers) {
      const loser = own.get(releaseId);
      if (loser !== undefined) lost.push({ registry, repository, tag, because, isAgreed: false, release: loser });
    }
  }
  return { wanted, lost };
}

/**
 * Changed names that no release claims any more, as after their branch was deleted, with what we last published there.
 */
function unclaimed(changed: ReleasedLocation[], wanted: Wanted[], { releases }: RepoNames): Wanted[] {
  return changed
    .filter((each) => !wanted.some(({ name }) => isSame(name, each)))
    .flatMap((name) => {
      const release = releases.find((each) => each.digest === name.digest && each.artifact === name.artifact);
      return release === undefined ? [] : [{ name, release }];
    });
}

/** Error codes of names that belong to another by the ledger's rules: no later try changes that. */
const OF_ANOTHER = new Set(["name-taken", "name-owned", "name-of-another-repo"]);

interface Placed {
  /** Whether any name had to be written. */
  wrote: boolean;
  /** Names that belong to another by the ledger's rules. */
  lost: Loss[];
}

/** Writes to all registries side by side: one that fails holds up no other. */
async function placeAll(
  station: PlaceParts,
  repo: Repo,
  all: Wanted[],
  changed: ReleasedLocation[],
  run: Run,
): Promise<Placed> {
  const placed: Placed = { wrote: false, lost: [] };
  // A registry that is no longer configured keeps what it has.
  const registries = new Set(all.map(({ name }) => name.registry).filter((key) => station.registries.has(key)));
  const ended = await Promise.allSettled(
    [...registries].map(async (registry) => {
      for (const each of all.filter(({ name }) => name.registry === registry)) {
        const standing = await getLocation(station.ledger, each.name);
        const isChanged = changed.some((one) => isSame(one, each.name));
        if (standing?.digest === each.release.digest && !isChanged) continue;
        const outcome = await place(station, repo, each, run);
        if (outcome.kind === "written") placed.wrote = true;
        if (outcome.kind === "lost") {
          const { registry, repository, tag } = each.name;
          const { because, isAgreed } = outcome;
          placed.lost.push({ registry, repository, tag, because, isAgreed, release: each.release });
        }
      }
    }),
  );
  throwPreferringTransient(ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : [])));
  return placed;
}

type Outcome = { kind: "written" | "stands" } | { kind: "lost"; because: string; isAgreed: boolean };

async function place(station: PlaceParts, repo: Repo, { name, release }: Wanted, run: Run): Promise<Outcome> {
  const whole = await getRelease(station.ledger, release.id);
  if (whole === null) throw new Error(`release ${release.id} was there and is gone`);
  const content = { ...frozenOf(whole), kind: whole.kind, metadata: {} };
  const { deliveryId, artifact, digest } = whole;
  const { registry, repository, tag } = name;
  const before = async (own: Run): Promise<void> => {
    if (await station.store.has(digest)) return;
    // Another host froze it, or housekeeping deleted it: the repository has it under another name.
    await registryOf(station, registry).restore(name, own, content);
  };
  const moving = { registry, repository, tag, immutable: false };
  try {
    const of = { repoId: repo.id, deliveryId, artifact };
    const subject = { repoId: repo.id, commit: release.sha };
    const kind = await inTrace(subject, "move name", { delivery: deliveryId, sha: release.sha, artifact }, () =>
      writeName(station, { name: moving, content, of, before }, run),
    );
    if (kind === "written")
      station.log.info("moved a name", { delivery: deliveryId, registry, name: `${repository}:${tag}`, digest });
    return { kind };
  } catch (error) {
    if (!(error instanceof Refused) || !OF_ANOTHER.has(error.code)) throw error;
    // In a shared repository one repo moves the names, by configuration.
    return { kind: "lost", because: error.message, isAgreed: error.code === "name-of-another-repo" };
  }
}
