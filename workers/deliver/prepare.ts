import { Refused } from "../../src/delivery/errors.ts";
import type { Frozen } from "../../src/delivery/frozen.ts";
import type { Share } from "../../src/delivery/naming.ts";
import type { ArtifactPlan } from "../../src/delivery/types.ts";
import { checkBuildPaths } from "../../src/git/context.ts";
import { artifactsOf, resetArtifact, saveArtifacts, saveFrozen, unpinDigest } from "../../src/ledger/artifacts.ts";
import { saveVersion } from "../../src/ledger/deliveries.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import { locationsOfRelease } from "../../src/ledger/locations.ts";
import { listReleases, type Release } from "../../src/ledger/releases.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import type { Run } from "../../src/run/run.ts";
import type { BuildSlots, GiveBack } from "../build-slots.ts";
import type { Work } from "../commit/work.ts";
import { holdsVersion } from "../names/holds-version.ts";
import { namesFor } from "../names/immutable-names.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import { claimVersions, versionsOfCommit } from "../names/versions.ts";
import type { Station } from "../station.ts";
import { build, limitsOf } from "./build.ts";
import { labelled } from "./run-log.ts";
import { type Begun, sideBySide } from "./side-by-side.ts";
import { unchangedSince } from "./unchanged.ts";

/**
 * The first half of a delivery: needs no green light and names nothing.
 * @param claims whether the commit's versions become its own, as they do once its light is green
 * @param capacity what its builds take their room from
 */
export async function prepare(
  station: Station,
  work: Work,
  run: Run,
  { claims = true, capacity = station.buildSlots }: { claims?: boolean; capacity?: BuildSlots } = {},
): Promise<(Prepared | Unchanged)[]> {
  const { mirror, delivery, repo } = work;
  const versions = claims
    ? await claimVersions(station, repo, mirror, delivery)
    : await versionsOfCommit(station, mirror, delivery);
  await settleVersion(station, work, versions[0] ?? "");
  await saveArtifacts(station.ledger, work.delivery.id, work.plan.artifacts);
  failpoint("prepare.versioned");
  run.log.line(`Version ${versions.join(", ")} of ${work.repo.owner}/${work.repo.name} at ${work.commit.sha}`);
  const prepared = await sideBySide(work.plan.artifacts, run, (artifact, own) =>
    readyOrBegun(station, work, artifact, versions, own, capacity),
  );
  requireNames(station, work, prepared);
  return prepared;
}

/** What was made under a version that the commit has lost since is made again: its bytes may say it. */
async function settleVersion({ ledger }: Station, { delivery, fence }: Work, version: string): Promise<void> {
  if (delivery.version === version) return;
  if (delivery.version !== null)
    for (const { name } of await artifactsOf(ledger, delivery.id)) await unpinDigest(ledger, delivery.id, name, fence);
  await saveVersion(ledger, delivery.id, version, delivery.version);
}

/** What cannot be named, as a package that calls itself other than `as` says, is found while nothing stands anywhere. */
function requireNames(station: Station, work: Work, prepared: (Prepared | Unchanged)[]): void {
  for (const each of prepared) {
    if (each.kind === "unchanged") continue;
    for (const to of each.artifact.publish) namesFor(station, work, each, each.content, to);
  }
}

/** What became of an artifact that needs no build, or the build of one that does, which has its room by now. */
async function readyOrBegun(
  station: Station,
  work: Work,
  artifact: ArtifactPlan,
  versions: string[],
  run: Run,
  capacity: BuildSlots,
): Promise<Begun<Prepared | Unchanged>> {
  const { mirror, commit } = work;
  const since = await unchangedSince(station, work, artifact);
  if (since !== null) {
    run.log.line(`${artifact.name}: nothing under ${artifact.paths.join(", ")} changed since ${since}`);
    return { end: Promise.resolve({ kind: "unchanged", artifact, since }) };
  }
  const paths = { contextDir: artifact.context, dockerfile: artifact.dockerfile };
  if (artifact.kind === "image") await checkBuildPaths(mirror, commit.sha, paths);
  const released = await releasesOf(station, work, artifact.name);
  const share = shareOf(await holdsVersion(mirror, commit.sha, artifact), versions, released);

  const known = await frozenBefore(station, work, artifact, share.variant, released);
  if (known !== null && (await isWhole(station, known, work, { artifact, ...share }, run))) {
    run.log.line(`${artifact.name}: ${known.digest} is frozen already`);
    return { end: Promise.resolve({ kind: "prepared", artifact, content: known, bases: [], isNew: false, ...share }) };
  }
  if (known !== null) await forget(station, work, artifact.name, known);
  const giveBack = await roomFor(station, artifact, run, capacity);
  return { end: buildAndFreeze(station, work, artifact, share, run).finally(giveBack) };
}

async function roomFor(station: Station, artifact: ArtifactPlan, run: Run, capacity: BuildSlots): Promise<GiveBack> {
  const weight = capacity.weightOf(limitsOf(station, artifact).cpus);
  if (!capacity.fits(weight)) run.log.line(`${artifact.name}: waits until other builds have made room`);
  return capacity.take(weight, run.signal);
}

export async function buildAndFreeze(
  station: Station,
  work: Work,
  artifact: ArtifactPlan,
  share: Share,
  run: Run,
): Promise<Prepared> {
  const log = work.plan.artifacts.length > 1 ? labelled(run.log, artifact.name) : run.log;
  const { bases, ...content } = await build(station, work, artifact, share.versions[0] ?? "", { ...run, log });
  failpoint("prepare.built");
  await saveFrozen(station.ledger, work.delivery.id, artifact.name, work.fence, {
    ...content,
    frozenOn: station.storeId,
    bases,
  });
  failpoint("prepare.frozen");
  run.log.line(`${artifact.name}: frozen as ${content.digest}`);
  return { kind: "prepared", artifact, content, bases, isNew: true, ...share };
}

async function releasesOf(station: Station, { repo, commit }: Work, artifact: string): Promise<Release[]> {
  return (await listReleases(station.ledger, { repoId: repo.id, sha: commit.sha, artifact, limit: 100 })).items;
}

/** What an earlier attempt froze for this very variant. */
async function frozenBefore(
  station: Station,
  work: Work,
  artifact: ArtifactPlan,
  variant: string,
  released: Release[],
): Promise<Frozen | null> {
  const done = released.find((each) => each.variant === variant);
  if (done !== undefined) return frozenOf(done);
  const noted = (await artifactsOf(station.ledger, work.delivery.id)).find((each) => each.name === artifact.name);
  const frozen = noted === undefined ? null : frozenOf(noted);
  if (frozen === null) return null;
  if (released.some((each) => each.digest === frozen.digest)) {
    // The row still tells of the content under another version: this one begins anew.
    await resetArtifact(station.ledger, work.delivery.id, artifact.name, work.fence);
    return null;
  }
  return frozen;
}

/** Which versions the content made now will bear. */
function shareOf(bytesHoldVersion: boolean, versions: string[], released: Release[]): Share {
  const first = versions[0] ?? "";
  if (!bytesHoldVersion) return { versions, variant: "", first, isFirst: true };
  const next = versions.find((version) => !released.some((each) => each.variant === version)) ?? first;
  return { versions: [next], variant: next, first, isFirst: next === first };
}

/**
 * Is every byte of it in this host's store? What another host froze, or this one lost, comes back from wherever it was
 * published, noted in the ledger or not: a worker may have died between the two.
 */
export async function isWhole(
  station: Station,
  content: Frozen,
  work: Work,
  share: Share & { artifact: ArtifactPlan },
  run: Run,
): Promise<boolean> {
  if (await isStored(station, content)) return true;
  const { name: artifact, publish } = share.artifact;
  const noted = await locationsOfRelease(station.ledger, { repoId: work.repo.id, artifact, digest: content.digest });
  const names = [...noted, ...publish.flatMap((to) => namesFor(station, work, share, content, to))];
  for (const name of names) {
    const registry = station.registries.get(name.registry);
    const found = await registry?.find(name, run, content);
    if (registry === undefined || found?.digest !== content.digest) continue;
    if (await registry.restore(name, run, content)) {
      run.log.line(`${artifact}: ${content.digest} was fetched back from ${name.registry}`);
      return true;
    }
  }
  return false;
}

async function isStored(station: Station, content: Frozen): Promise<boolean> {
  if (!(await station.store.has(content.digest))) return false;
  const blobs = content.files ?? (await station.store.contentOf(content.digest)).blobs;
  const present = await Promise.all(blobs.map((blob) => station.store.has(blob.digest)));
  return present.every(Boolean);
}

/** Nobody holds the bytes any more: built again, but only where no name stands for them yet. */
export async function forget(
  station: Station,
  { delivery, fence }: Work,
  artifact: string,
  content: Frozen,
): Promise<void> {
  if (await unpinDigest(station.ledger, delivery.id, artifact, fence)) return;
  throw new Refused(
    "content-lost",
    `${artifact} was published as ${content.digest}, and neither this host nor a registry has it any more. A new commit makes a new release.`,
  );
}
