import { publishedEvent } from "../../src/delivery/cloud-events.ts";
import type { ProofNotes } from "../../src/delivery/proof/facts.ts";
import type { ArtifactName } from "../../src/delivery/types.ts";
import { versionTag } from "../../src/delivery/version.ts";
import { setArtifactState } from "../../src/ledger/artifacts.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { describeRelease } from "../../src/ledger/describe-release.ts";
import { attemptsOf } from "../../src/ledger/leases.ts";
import { queueNotices } from "../../src/ledger/notices.ts";
import { oweProof } from "../../src/ledger/proofs.ts";
import { recordRelease } from "../../src/ledger/releases.ts";
import { queueStatuses, type StatusParts } from "../../src/ledger/statuses.ts";
import { span } from "../../src/observe/span.ts";
import type { Work } from "../commit/work.ts";
import { readRepoNames, updateLatest } from "../names/candidates.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import type { Station } from "../station.ts";
import { proofFacts } from "./proof-notes.ts";

/** What recording uses of the station. */
export type RecordParts = StatusParts & Pick<Station, "config" | "ledger" | "notifiers" | "log">;

/**
 * Writes release, status, notice and the proof that is owed in one transaction: whatever happens next, all stand, or
 * none.
 * @param ofOlderCommit names that stay with an older commit of the artifact
 * @param notes null: the delivery was begun before deliverd kept evidence
 */
export function record(
  station: RecordParts,
  work: Work,
  each: Prepared,
  ofOlderCommit: ArtifactName[],
  notes: ProofNotes | null,
): Promise<void> {
  return span("record", { artifact: each.artifact.name }, () => recordAll(station, work, each, ofOlderCommit, notes));
}

async function recordAll(
  station: RecordParts,
  work: Work,
  each: Prepared,
  ofOlderCommit: ArtifactName[],
  notes: ProofNotes | null,
): Promise<void> {
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
    // recordRelease holds the fence until this transaction ends.
    await setArtifactState(tx, delivery.id, artifact.name, "released", because);
    const described = await describeRelease(tx, release);
    const subject = { repoId: repo.id, sha: commit.sha, deliveryId: delivery.id };
    const where = [...new Set(described.locations.map((one) => one.registry))].join(", ");
    const names = [...new Set(ofOlderCommit.map(({ tag }) => tag))].join(", ");
    const but = ofOlderCommit.length === 0 ? "" : `, not as ${names}: that stays with an older commit`;
    await queueStatuses(tx, station, subject, [artifact.name], "delivered", `${because} released to ${where}${but}`);
    if (ofOlderCommit.length > 0)
      await recordDecision(tx, repo.id, commit.sha, { action: "name-lost", because: `${artifact.name}${but}` });
    const event = publishedEvent(described, station.config.publicUrl);
    await queueNotices(tx, station, subject, event);
    const [first] = await attemptsOf(tx, delivery.id);
    const startedAt = first?.startedAt ?? release.releasedAt;
    await oweProof(tx, release, proofFacts(station, work, release, { notes, startedAt }));
  });
  await updateLatestRelease(station, work, artifact.name);
}

/** Makes `latest` right at once. Where this fails, or is too late, workers/names/ computes it anew. */
async function updateLatestRelease(
  station: Pick<Station, "config" | "ledger" | "log">,
  { repo, mirror }: Work,
  artifact: string,
): Promise<void> {
  try {
    await updateLatest(station, repo, artifact, await readRepoNames(station, repo, mirror, await mirror.refs()));
  } catch (error) {
    station.log.warn("which release is the latest could not be computed yet", { repo: repo.id, artifact, error });
  }
}

/** An artifact that this commit does not concern: shown on the commit, and nothing more. */
export async function recordUnchanged(
  station: StatusParts & Pick<Station, "ledger">,
  work: Work,
  { artifact, since }: Unchanged,
): Promise<void> {
  const { delivery, repo, commit } = work;
  await station.ledger.transaction(async (tx) => {
    await setArtifactState(tx, delivery.id, artifact.name, "unchanged", `unchanged since ${since}`);
    const subject = { repoId: repo.id, sha: commit.sha, deliveryId: delivery.id };
    await queueStatuses(tx, station, subject, [artifact.name], "delivered", `unchanged since ${since}`);
  });
}
