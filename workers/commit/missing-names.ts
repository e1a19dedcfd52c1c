import type { ArtifactKind, ArtifactName, Plan, Repo, RepoId } from "../../src/delivery/types.ts";
import { requireDate } from "../../src/git/commit.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import { locationsOfDelivery } from "../../src/ledger/locations.ts";
import { listReleases } from "../../src/ledger/releases.ts";
import type { Station } from "../station.ts";
import { holdsVersion } from "./holds-version.ts";
import { isSame, namesFor } from "./immutable-names.ts";
import { standingUnder } from "./names-in-ledger.ts";
import { ownVersions } from "./versions.ts";

/** What a name stands for in the ledger. */
interface NamedFor {
  repoId: RepoId;
  deliveryId: string;
  artifact: string;
}

/**
 * Whether a delivered commit lacks a version or an immutable name that it should have, as after it was given a version
 * tag. Moving names are left out: workers/names/ reconciles them.
 */
export async function lacksNames(
  station: Pick<Station, "config" | "ledger">,
  repo: Repo,
  mirror: Mirror,
  delivery: Delivery,
  plan: Plan,
  refs: string[],
): Promise<boolean> {
  const { sha } = delivery;
  const { ledger } = station;
  const versions = await ownVersions(station, mirror, delivery);
  const first = versions[0] ?? "";
  const { items: releases } = await listReleases(ledger, { repoId: repo.id, sha, limit: 200 });
  // A moving name may hold the content now, and another one later.
  const standing = (await locationsOfDelivery(ledger, delivery.id)).filter((each) => each.immutable);
  const named = { repo, refs, tags: await mirror.tagsOn(sha), commit: requireDate(await mirror.commit(sha)) };
  for (const artifact of plan.artifacts) {
    const released = releases.filter((release) => release.artifact === artifact.name);
    // An unchanged artifact was not released: its names belong to an older commit.
    if (released.length === 0) continue;
    if (versions.some((version) => !released.some((release) => release.versions.includes(version)))) return true;
    const shares = (await holdsVersion(mirror, sha, artifact))
      ? versions.map((version) => ({ versions: [version], variant: version, first, isFirst: version === first }))
      : [{ versions, variant: "", first, isFirst: true }];
    for (const share of shares) {
      const content = released.find((release) => release.variant === share.variant);
      for (const to of artifact.publish) {
        const names = namesFor(station, named, { ...share, artifact }, content ? frozenOf(content) : {}, to);
        const of = { repoId: repo.id, deliveryId: delivery.id, artifact: artifact.name };
        const ofOlder = await namesOfOlderCommit(station, names, of, artifact.kind);
        if (names.some((name) => ![...standing, ...ofOlder].some((one) => isSame(one, name)))) return true;
      }
    }
  }
  return false;
}

/**
 * Those of an image's names that stand for an older commit of the same artifact for good, as after a git tag was moved
 * by force. None where no other name would be left: the registry refuses the image then.
 */
export async function namesOfOlderCommit(
  station: Pick<Station, "config" | "ledger">,
  names: ArtifactName[],
  { repoId, deliveryId, artifact }: NamedFor,
  kind: ArtifactKind,
): Promise<ArtifactName[]> {
  if (kind !== "image") return [];
  const found: ArtifactName[] = [];
  for (const name of names) {
    const standing = await standingUnder(station, name, kind);
    if (standing === null || !standing.immutable || standing.deliveryId === deliveryId) continue;
    if (standing.repoId === repoId && standing.artifact === artifact) found.push(name);
  }
  return found.length < names.length ? found : [];
}
