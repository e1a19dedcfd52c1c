import { throwPreferringTransient } from "../../src/delivery/errors.ts";
import type { Naming, Share } from "../../src/delivery/naming.ts";
import type { ArtifactPlan } from "../../src/delivery/types.ts";
import { artifactsOf, saveArtifacts, saveFrozen } from "../../src/ledger/artifacts.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { haveRefsMovedSince, type Watermark } from "../../src/ledger/watermark.ts";
import { type Failpoint, failpoint } from "../../src/observe/failpoints.ts";
import { span } from "../../src/observe/span.ts";
import type { Run } from "../../src/run/run.ts";
import type { BuildSlots } from "../build-slots.ts";
import type { AfterReleaseParts } from "../commit/after-release.ts";
import { namesFor } from "../commit/immutable-names.ts";
import { reportSaved } from "../commit/prepared-time.ts";
import { type SyncParts, syncMirror } from "../commit/sync-mirror.ts";
import type { Work } from "../commit/work.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import { type PublishParts, publishEverywhere } from "../names/publish.ts";
import type { Station } from "../station.ts";
import { type BuildParts, build, takeRoom } from "./build.ts";
import { reportVersions, settleVersions } from "./claim-versions.ts";
import { type GateParts, passGate } from "./gate.ts";
import { type Lease, requireLease } from "./lease.ts";
import { pinAll } from "./pin.ts";
import { proofNotes } from "./proof-notes.ts";
import { type ReadParts, readWork } from "./read-work.ts";
import { type RecordParts, record, recordUnchanged } from "./record.ts";
import { standingOfNaming } from "./resume.ts";
import { labelled } from "./run-log.ts";
import { type Begun, sideBySide } from "./side-by-side.ts";
import { endAttempt, enterStage, type StageParts, unreleasedOf } from "./stages.ts";
import { findStanding, type StandingParts } from "./standing.ts";
import type { Tools } from "./under-lease.ts";

/** One step of the line. A step may be repeated: what it recorded is found, and not done again. */
export interface Step {
  /** What must stand before it. */
  needs: string;
  /** What stands after it, for the next attempt to find. */
  records: string;
  /** What a crash right after it leaves, and how the delivery goes on. */
  crash: string;
  /** Where a test kills the process: right after the step. */
  failpoint: Failpoint;
}

/**
 * The steps of a delivery, in their order. `walkLine`, `prepare` and `release` below are the code that walks them; the
 * table of docs/explanation/crashes.md is made from this list. From `build` to `freeze`, and from `upload` to `record`,
 * the artifacts of a delivery go side by side, each for itself.
 */
export const LINE = {
  claim: {
    needs: "a delivery that is `queued`, and has no lease",
    records: "a lease of 12 s, a higher fence, an attempt",
    crash: "The lease runs out, or is freed when the worker starts again. The sweep queues the delivery.",
    failpoint: "deliver.claimed",
  },
  version: {
    needs: "refs and pipeline file, read at the commit",
    records: "its versions, claimed; its artifacts, `pending`",
    crash: "The next attempt finds the same versions, and builds.",
    failpoint: "prepare.versioned",
  },
  make: {
    needs: "an artifact that the commit changes; free slots",
    records: "layers in the engine, under a temporary name",
    crash: "The next attempt removes the name, and builds again from the cache.",
    failpoint: "prepare.made",
  },
  build: {
    needs: "what the engine made",
    records: "the bytes in the store, under their digest",
    crash: "The next attempt builds again, to the same digest where the build allows it.",
    failpoint: "prepare.built",
  },
  freeze: {
    needs: "the fence, and no other digest that is pinned",
    records: "the digest of the artifact, `frozen`",
    crash: "The next attempt goes on with those bytes.",
    failpoint: "prepare.frozen",
  },
  gate: {
    needs: "refs, pipeline file and CI state, read after the last freeze",
    records: "nothing",
    crash: "The next attempt reads the gate again.",
    failpoint: "release.gate-read",
  },
  pin: {
    needs: "a green gate, the fence, no request to stop",
    records: "final digests and `naming`: the point of no return",
    crash: "The next attempt finishes what `naming` says, whatever refs and CI say by now.",
    failpoint: "release.pinned",
  },
  upload: {
    needs: "a repository in the registry that is not another repo's",
    records: "blobs in the registry, under no name",
    crash: "The next attempt uploads what is missing.",
    failpoint: "release.uploaded",
  },
  name: {
    needs: "the lease, asked for again; the name, reserved",
    records: "a name in the registry, not yet in the ledger",
    crash: "The next attempt finds the same content under the name, and saves it.",
    failpoint: "release.named",
  },
  publish: {
    needs: "every name of the artifact, everywhere",
    records: "each name in the ledger",
    crash: "The next attempt writes no name again, and records the release.",
    failpoint: "release.noted",
  },
  record: {
    needs: "the fence",
    records: "release, status, notice and the proof owed, in one transaction",
    crash: "Announce sends status, notice and proof. The next attempt goes on with the other artifacts.",
    failpoint: "release.recorded",
  },
  end: {
    needs: "every artifact released or unchanged",
    records: "`delivered`, the attempt's end, moving names as due",
    crash: "The sweep queues names and announce.",
    failpoint: "release.delivered",
  },
} as const satisfies Record<string, Step>;

/**
 * To be called right after a step. The steps `make`, `upload` and `name` end inside the builders and `workers/names/`.
 */
export function passed(step: Exclude<keyof typeof LINE, "make" | "upload" | "name">): void {
  failpoint(LINE[step].failpoint);
}

/** What the whole line uses of the station. */
export type LineParts = ReadParts &
  PrepareParts &
  ReleaseParts &
  StageParts &
  AfterReleaseParts &
  Pick<Station, "buildSlots" | "preparedSeconds">;

/** Goes from the claim to the end: the first half, or what an earlier attempt has made; then the second half. */
export async function walkLine(
  station: LineParts,
  delivery: Delivery,
  lease: Lease,
  { run, log, flush, stages }: Tools,
  watermark: Watermark,
): Promise<void> {
  const { ledger, queues, buildSlots } = station;
  const { naming } = delivery;
  const work = await readWork(station, delivery, lease.fence, run);
  const { repo, commit, plan } = work;
  log.info("preparing", { repo: fullName(work), sha: commit.sha });
  const unreleased = await unreleasedOf(ledger, work);
  if (naming === null) {
    await enterStage(station, work, "building", "building", unreleased);
    stages.enter("building");
  }
  const prepared =
    naming === null
      ? await span("prepare", {}, () => prepare(station, work, run, { claims: true, capacity: buildSlots }))
      : await resume(station, work, naming, run);
  await enterStage(station, work, "publishing", `publishing to ${destinations(work)}`, unreleased);
  stages.enter("publishing");
  await release(station, work, prepared, run);

  const versions = [...new Set(prepared.flatMap((each) => (each.kind === "unchanged" ? [] : each.versions)))];
  const because =
    versions.length === 0 ? "nothing changed that this pipeline releases" : `released ${versions.join(", ")}`;
  await reportSaved(station, delivery.id, run);
  run.log.line(because);
  await flush();
  // A change that came meanwhile kept nothing back, and is reported by an evaluation now.
  const isLookDue = naming !== null || (await haveRefsMovedSince(ledger, repo.id, work.refs, watermark));
  const done = { state: "delivered", because, outcome: "done" } as const;
  await endAttempt(station, delivery, lease.fence, isLookDue ? { ...done, evaluateIn: 0 } : done);
  passed("end");
  log.info("delivered", { repo: fullName(work), sha: commit.sha, versions });
  for (const { name } of plan.artifacts) await queues.add("names", { repo: repo.id, artifact: name });
  await queues.add("announce", {});
}

/** What the first half of the line uses of the station. */
export type PrepareParts = StandingParts & BuildParts;
/** What the second half of the line uses of the station. */
export type ReleaseParts = GateParts & PublishParts & RecordParts & Pick<Station, "storeId">;

/**
 * The first half: needs no green gate, and names nothing.
 * @param how `claims`: whether the versions become the commit's own, as they do once its gate is green.
 * `capacity`: where its builds take their room from
 */
export async function prepare(
  station: PrepareParts,
  work: Work,
  run: Run,
  how: { claims: boolean; capacity: BuildSlots },
): Promise<(Prepared | Unchanged)[]> {
  const { delivery, plan } = work;
  const versions = await settleVersions(station, work, how.claims);
  await saveArtifacts(station.ledger, delivery.id, plan.artifacts);
  passed("version");
  reportVersions(work, versions, run);
  const rows = await artifactsOf(station.ledger, delivery.id);
  const prepared = await sideBySide(
    plan.artifacts,
    run,
    async (artifact, own): Promise<Begun<Prepared | Unchanged>> => {
      const standing = await findStanding(station, work, artifact, versions, rows, own);
      if (standing.kind !== "to-build") return { end: Promise.resolve(standing) };
      const giveBack = await takeRoom(station, artifact, own, how.capacity);
      return { end: buildAndFreeze(station, work, artifact, standing.share, own).finally(giveBack) };
    },
  );
  requireNames(station, work, prepared);
  return prepared;
}

/** In place of the first half, where names are being written: what was made is taken as it is. */
async function resume(
  station: PrepareParts & SyncParts,
  work: Work,
  naming: Naming,
  run: Run,
): Promise<(Prepared | Unchanged)[]> {
  run.log.line("Its names are being written already: finishing what was begun");
  const prepared: (Prepared | Unchanged)[] = [];
  for await (const standing of standingOfNaming(station, work, naming, run)) {
    if (standing.kind !== "to-build") {
      prepared.push(standing);
      continue;
    }
    await syncMirror(station, work.repo, run.signal);
    prepared.push(await buildAndFreeze(station, work, standing.artifact, standing.share, run));
  }
  return prepared;
}

async function buildAndFreeze(
  station: PrepareParts,
  work: Work,
  artifact: ArtifactPlan,
  share: Share,
  run: Run,
): Promise<Prepared> {
  const log = work.plan.artifacts.length > 1 ? labelled(run.log, artifact.name) : run.log;
  const { bases, ...content } = await build(station, work, artifact, share.versions[0] ?? "", { ...run, log });
  passed("build");
  const frozen = { ...content, frozenOn: station.storeId, bases };
  await span("freeze", { artifact: artifact.name }, () =>
    saveFrozen(station.ledger, work.delivery.id, artifact.name, work.fence, frozen),
  );
  passed("freeze");
  run.log.line(`${artifact.name}: frozen as ${content.digest}`);
  return { kind: "prepared", artifact, content, bases, isNew: true, ...share };
}

/** A package that names itself other than the pipeline says is found before any name is written. */
function requireNames(station: Pick<Station, "config">, work: Work, prepared: (Prepared | Unchanged)[]): void {
  for (const each of prepared) {
    if (each.kind === "unchanged") continue;
    for (const to of each.artifact.publish) namesFor(station, work, each, each.content, to);
  }
}

/**
 * The second half. With the pins it passes the point of no return: from there on nobody reads the gate, and what has
 * begun is finished.
 */
async function release(station: ReleaseParts, work: Work, prepared: (Prepared | Unchanged)[], run: Run): Promise<void> {
  const { delivery, fence } = work;
  const { naming } = delivery;
  const evidence = naming === null ? await passGate(station, work, prepared, run) : null;
  const notes = evidence === null ? (naming?.proof ?? null) : await proofNotes(work, evidence);
  passed("gate");
  await pinAll(station, work, prepared, notes);
  passed("pin");
  for (const each of prepared) if (each.kind === "unchanged") await recordUnchanged(station, work, each);
  const beforeEachName = () => requireLease(station.ledger, delivery.id, fence);
  const ended = await Promise.allSettled(
    prepared.map(async (each) => {
      if (each.kind === "unchanged") return;
      const ofOlderCommit = await publishEverywhere(station, work, each, beforeEachName, run);
      passed("publish");
      await record(station, work, each, ofOlderCommit, notes);
      passed("record");
    }),
  );
  run.signal.throwIfAborted();
  throwPreferringTransient(ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : [])));
}

function destinations({ plan }: Work): string {
  return [...new Set(plan.artifacts.flatMap((each) => each.publish.map((to) => to.to)))].join(", ");
}

function fullName({ repo }: Work): string {
  return `${repo.host}/${repo.owner}/${repo.name}`;
}
