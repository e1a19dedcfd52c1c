import type { BaseImage } from "../../src/builders/builder.ts";
import { sourceUrl } from "../../src/delivery/metadata.ts";
import type { Evidence } from "../../src/delivery/proof/evidence.ts";
import { type ProofFacts, type ProofNotes, pipelineFile } from "../../src/delivery/proof/facts.ts";
import { iso } from "../../src/ledger/describe-release.ts";
import { frozenOf } from "../../src/ledger/frozen-columns.ts";
import type { Release } from "../../src/ledger/releases.ts";
import { VERSION } from "../../src/run/version.ts";
import { PIPELINE_FILE, readPipelineText } from "../commit/read-plan.ts";
import { factsOfBuild } from "../commit/release-facts.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";

/** What the proofs of a delivery's releases will say of its gate and of its rules. */
export async function proofNotes({ plan, mirror, commit }: Work, evidence: Evidence): Promise<ProofNotes> {
  const text = plan.isDefault ? null : await readPipelineText(mirror, commit.sha);
  return { evidence, pipeline: text === null ? null : pipelineFile(PIPELINE_FILE, text) };
}

/**
 * @param about `notes` are null if the delivery was begun before deliverd kept evidence. `startedAt`: of its first
 * attempt, which may have built while CI ran
 */
export function proofFacts(
  station: Pick<Station, "config">,
  work: Work,
  release: Release,
  { notes, startedAt }: { notes: ProofNotes | null; startedAt: number },
): ProofFacts {
  const { artifact, kind, version, deliveryId, releasedAt, metadata } = release;
  const { repo, ref, sha, cloneUrl } = factsOfBuild(station, work, version);
  return {
    ...{ artifact, kind, version, content: frozenOf(release) },
    source: { repository: sourceUrl(cloneUrl, repo), ref, sha, pipeline: notes?.pipeline ?? null },
    // As the release has them: a content that was prepared earlier knows its bases from there.
    bases: (metadata.bases ?? []) as BaseImage[],
    evidence: notes?.evidence ?? null,
    publicUrl: station.config.publicUrl.replace(/\/+$/, ""),
    ...{ builtBy: VERSION, deliveryId },
    ...{ startedAt: iso(startedAt), finishedAt: iso(releasedAt), log: null },
  };
}
