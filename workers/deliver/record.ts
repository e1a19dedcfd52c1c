import { publishedEvent } from "../../src/delivery/cloud-events.ts";
import type { ArtifactName } from "../../src/delivery/types.ts";
import { versionTag } from "../../src/delivery/version.ts";
import { setArtifactState } from "../../src/ledger/artifacts.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { describeRelease } from "../../src/ledger/describe-release.ts";
import { locationsOfRelease } from "../../src/ledger/locations.ts";
import { recordRelease } from "../../src/ledger/releases.ts";
import { queueNotices } from "../announce/queue-notices.ts";
import { queueStatuses } from "../announce/queue-statuses.ts";
import type { Work } from "../commit/work.ts";
import { readRepoNames, updateLatest } from "../names/candidates.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import type { Station } from "../station.ts";

/** Release, status and notice in one transaction: whatever happens next, all three or none are owed. */
export async function record(station: Station, work: Work, each: Prepared, lost: ArtifactName[]): Promise<void> {
  const { delivery, repo, commit, refs, fence } = work;
  const { artifact, content, versions } = each;
  await station.ledger.transaction(async (tx) => {
    const because = versions.join(", ");
    const release = await recordRelease(tx, {
      repoId: repo.id,
      sha: commit.sha,
      artifact: artifact.name,
      variant: each.variant,
      kind: artifact.kind,
      versions,
      tagged: versions.filter((version) => work.tags.some((tag) => versionTag(tag) === version)),
      ...content,
      ref: refs[0] ?? null,
      deliveryId: delivery.id,
      fence,
      committedAt: commit.committedAt.getTime(),
      metadata: { publish: artifact.publish, bases: each.bases },
    });
    await setArtifactState(tx, delivery.id, artifact.name, "released", because, fence);
    const locations = await locationsOfRelease(tx, release);
    const subject = { repoId: repo.id, sha: commit.sha, deliveryId: delivery.id };
    const where = [...new Set(locations.map((one) => one.registry))].join(", ");
    const names = [...new Set(lost.map(({ tag }) => tag))].join(", ");
    const but = lost.length === 0 ? "" : `, not as ${names}: that stays with an older commit`;
    await queueStatuses(tx, station, subject, [artifact.name], "delivered", `${because} released to ${where}${but}`);
    if (lost.length > 0)
      await recordDecision(tx, repo.id, commit.sha, { action: "name-lost", because: `${artifact.name}${but}` });
    const event = publishedEvent(await describeRelease(tx, release), station.config.publicUrl);
    await queueNotices(tx, station, subject, event);
  });
  await noteLatestRelease(station, work, artifact.name);
}

/** So that `latest` is right at once; where this fails, or is too late, the look at the moving names finds it. */
async function noteLatestRelease(station: Station, { repo, mirror }: Work, artifact: string): Promise<void> {
  try {
    await updateLatest(station, repo, artifact, await readRepoNames(station, repo, mirror, await mirror.refs()));
  } catch (error) {
    station.log.warn("which release is the latest could not be computed yet", { repo: repo.id, artifact, error });
  }
}

/** An artifact that this commit does not concern: said on the commit, and nothing more. */
export async function recordUnchanged(station: Station, work: Work, { artifact, since }: Unchanged): Promise<void> {
  const { delivery, repo, commit } = work;
  await station.ledger.transaction(async (tx) => {
    await setArtifactState(tx, delivery.id, artifact.name, "unchanged", `unchanged since ${since}`);
    const subject = { repoId: repo.id, sha: commit.sha, deliveryId: delivery.id };
    await queueStatuses(tx, station, subject, [artifact.name], "delivered", `unchanged since ${since}`);
  });
}
