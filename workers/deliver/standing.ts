import type { BaseImage } from "../../src/builders/builder.ts";
import { Refused } from "../../src/delivery/errors.ts";
import type { Frozen } from "../../src/delivery/frozen.ts";
import type { Share } from "../../src/delivery/naming.ts";
import type { ArtifactPlan } from "../../src/delivery/types.ts";
import { checkBuildPaths } from "../../src/git/context.ts";
import { type DeliveryArtifact, resetArtifact, unpinDigest } from "../../src/ledger/artifacts.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import { locationsOfRelease } from "../../src/ledger/locations.ts";
import { listReleases, type Release } from "../../src/ledger/releases.ts";
import type { Run } from "../../src/run/run.ts";
import { holdsVersion } from "../commit/holds-version.ts";
import { namesFor } from "../commit/immutable-names.ts";
import type { Work } from "../commit/work.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import type { Station } from "../station.ts";
import { unchangedSince } from "./unchanged.ts";

/** What stands of one artifact before anything is built: all of it, or its build is still to be done. */
export type Standing = Prepared | Unchanged | { kind: "to-build"; artifact: ArtifactPlan; share: Share };

/** What finding out uses of the station. */
export type StandingParts = Pick<Station, "config" | "ledger" | "store" | "registries">;

/**
 * Finds what earlier attempts and releases have left of an artifact.
 * @param rows the delivery's artifacts, as the ledger holds them
 */
export async function findStanding(
  station: StandingParts,
  work: Work,
  artifact: ArtifactPlan,
  versions: string[],
  rows: DeliveryArtifact[],
  run: Run,
): Promise<Standing> {
  const { mirror, commit, repo } = work;
  const since = await unchangedSince(station, work, artifact);
  if (since !== null) {
    run.log.line(`${artifact.name}: nothing under ${artifact.paths.join(", ")} changed since ${since}`);
    return { kind: "unchanged", artifact, since };
  }
  const paths = { contextDir: artifact.context, dockerfile: artifact.dockerfile };
  if (artifact.kind === "image") await checkBuildPaths(mirror, commit.sha, paths);
  const of = { repoId: repo.id, sha: commit.sha, artifact: artifact.name };
  const { items: released } = await listReleases(station.ledger, { ...of, limit: 100 });
  const share = shareOf(await holdsVersion(mirror, commit.sha, artifact), versions, released);
  const row = rows.find((each) => each.name === artifact.name);
  const before = await frozenBefore(station, work, artifact.name, row, share.variant, released);
  if (before === null) return { kind: "to-build", artifact, share };
  const { content, bases } = before;
  const standing = await reuse(station, work, artifact, share, content, bases, run);
  if (standing.kind === "prepared") run.log.line(`${artifact.name}: ${content.digest} is frozen already`);
  return standing;
}

/** The content where its bytes can still be had; else it is to be built again. @throws Refused `content-lost` */
export async function reuse(
  station: StandingParts,
  work: Work,
  artifact: ArtifactPlan,
  share: Share,
  content: Frozen,
  bases: BaseImage[],
  run: Run,
): Promise<Standing> {
  if (await isWhole(station, content, work, { artifact, ...share }, run))
    return { kind: "prepared", artifact, content, bases, isNew: false, ...share };
  await forget(station, work, artifact.name, content);
  return { kind: "to-build", artifact, share };
}

/** What an earlier attempt froze for this very variant. */
async function frozenBefore(
  { ledger }: Pick<Station, "ledger">,
  { delivery, fence }: Work,
  artifact: string,
  row: DeliveryArtifact | undefined,
  variant: string,
  released: Release[],
): Promise<{ content: Frozen; bases: BaseImage[] } | null> {
  const done = released.find((each) => each.variant === variant);
  // The release has its bases already.
  if (done !== undefined) return { content: frozenOf(done), bases: [] };
  const frozen = row === undefined ? null : frozenOf(row);
  if (frozen === null) return null;
  if (released.some((each) => each.digest === frozen.digest)) {
    // The row still holds the content under another version: this version begins anew.
    await resetArtifact(ledger, delivery.id, artifact, fence);
    return null;
  }
  return { content: frozen, bases: row?.bases ?? [] };
}

/** Which versions the content that is made now will have. */
function shareOf(bytesHoldVersion: boolean, versions: string[], released: Release[]): Share {
  const first = versions[0] ?? "";
  if (!bytesHoldVersion) return { versions, variant: "", first, isFirst: true };
  const next = versions.find((version) => !released.some((each) => each.variant === version)) ?? first;
  return { versions: [next], variant: next, first, isFirst: next === first };
}

/**
 * Whether this host's store has every byte of the content. What another host froze, or this one lost, is fetched back
 * from any registry where it was published, saved in the ledger or not: a worker may have died between the two.
 */
async function isWhole(
  station: StandingParts,
  content: Frozen,
  work: Work,
  share: Share & { artifact: ArtifactPlan },
  run: Run,
): Promise<boolean> {
  if (await isStored(station, content)) return true;
  const { name: artifact, publish } = share.artifact;
  const published = await locationsOfRelease(station.ledger, {
    repoId: work.repo.id,
    artifact,
    digest: content.digest,
  });
  const names = [...published, ...publish.flatMap((to) => namesFor(station, work, share, content, to))];
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

async function isStored({ store }: Pick<Station, "store">, content: Frozen): Promise<boolean> {
  if (!(await store.has(content.digest))) return false;
  const blobs = content.files ?? (await store.contentOf(content.digest)).blobs;
  const present = await Promise.all(blobs.map((blob) => store.has(blob.digest)));
  return present.every(Boolean);
}

/** Nobody holds the bytes any more: they are built again, but only where no name stands for them yet. */
async function forget(
  { ledger }: Pick<Station, "ledger">,
  { delivery, fence }: Work,
  artifact: string,
  content: Frozen,
): Promise<void> {
  if (await unpinDigest(ledger, delivery.id, artifact, fence)) return;
  throw new Refused(
    "content-lost",
    `${artifact} was published as ${content.digest}, and neither this host nor a registry has it any more. ` +
      "Deliver a new commit, and find out who deleted the content.",
  );
}
