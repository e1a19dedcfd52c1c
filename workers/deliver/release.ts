import { anySignal } from "../../src/async/any-signal.ts";
import { Refused, TransientError, throwPreferringTransient } from "../../src/delivery/errors.ts";
import type { NamedArtifact, Naming } from "../../src/delivery/naming.ts";
import { pinDigest } from "../../src/ledger/artifacts.ts";
import { beginNaming } from "../../src/ledger/begin-naming.ts";
import type { Tx } from "../../src/ledger/ledger.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import type { Run } from "../../src/run/run.ts";
import { inspect } from "../commit/inspect.ts";
import { syncAndPrefetchCi } from "../commit/prefetch-ci.ts";
import { wasRecentlyGreen } from "../commit/recent-green.ts";
import type { Work } from "../commit/work.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import { publishEverywhere } from "../names/publish.ts";
import { uploadAhead } from "../names/upload.ts";
import type { Station } from "../station.ts";
import { Cancelled, requireLease } from "./lease.ts";
import { record, recordUnchanged } from "./record.ts";

/** Thrown when the light went out, or the commit went away, while the delivery was prepared. */
export class NoLongerGreen extends Error {
  /** `failed`: its pipeline cannot be followed any more. */
  readonly state: "waiting" | "superseded" | "ignored" | "failed";
  readonly bad: boolean;
  constructor(state: NoLongerGreen["state"], because: string, bad: boolean) {
    super(because);
    this.state = state;
    this.bad = bad;
  }
}

/**
 * The second half of a delivery: reads the light once more, pins, publishes everywhere, records. Every step can be repeated. With the pins it
 * passes the point of no return: from there on nobody asks the light again, and what is begun is finished.
 */
export async function release(
  station: Station,
  work: Work,
  prepared: (Prepared | Unchanged)[],
  run: Run,
): Promise<void> {
  if (work.delivery.naming === null) await uploadUntilGreen(station, work, prepared, run);
  failpoint("release.gate-read");
  await pinAll(station, work, prepared);
  failpoint("release.pinned");
  for (const each of prepared) if (each.kind === "unchanged") await recordUnchanged(station, work, each);
  const before = () => requireLease(station.ledger, work.delivery.id, work.fence);
  const ended = await Promise.allSettled(
    prepared.map(async (each) => {
      if (each.kind === "unchanged") return;
      const lost = await publishEverywhere(station, work, each, before, run);
      failpoint("release.noted");
      await record(station, work, each, lost);
      failpoint("release.recorded");
    }),
  );
  run.signal.throwIfAborted();
  throwPreferringTransient(ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : [])));
}

/** Reads the light, and sends content meanwhile: no longer than it may still turn out to be green. */
async function uploadUntilGreen(
  station: Station,
  work: Work,
  prepared: (Prepared | Unchanged)[],
  run: Run,
): Promise<void> {
  const isNew = prepared.some((each) => each.kind === "prepared" && each.isNew);
  const out = new AbortController();
  const upload = uploadAhead(station, work, prepared, { ...run, signal: anySignal(run.signal, out.signal) });
  try {
    await requireGreen(station, work, isNew, run);
  } catch (error) {
    out.abort(error);
    throw error;
  } finally {
    await upload;
  }
}

async function requireGreen(station: Station, work: Work, isNew: boolean, run: Run): Promise<void> {
  const { delivery, commit, plan, refs } = work;
  if (!isNew && (await wasRecentlyGreen(station, delivery, work.fence))) return;
  const { repo, mirror, ci } = await syncAndPrefetchCi(station, work.repo, commit.sha, { plan, refs }, run.signal);
  const { verdict, unanswered } = await inspect(station, repo, mirror, commit.sha, { foreseen: ci });
  if (unanswered !== null) throw unanswered;
  if (verdict.action === "deliver") return;
  const state = verdict.action === "superseded" ? "superseded" : verdict.action === "ignore" ? "ignored" : "waiting";
  throw new NoLongerGreen(state, verdict.because, verdict.bad !== undefined);
}

/** All digests and the order to name them, or none of it. */
async function pinAll(station: Station, work: Work, prepared: (Prepared | Unchanged)[]): Promise<void> {
  const { delivery, fence } = work;
  await station.ledger.transaction(async (tx) => {
    for (const each of prepared) if (each.kind === "prepared") await pin(tx, station, work, each);
    if (delivery.naming !== null) return;
    const answer = await beginNaming(tx, delivery.id, fence, orderOf(work, prepared));
    if (answer === "stale") throw new TransientError("lease-lost", "another worker has this delivery now");
    if (answer !== "begun") throw new Cancelled(answer);
  });
}

function orderOf({ repo: { owner, name }, plan, refs, tags }: Work, prepared: (Prepared | Unchanged)[]): Naming {
  const artifacts = prepared.map((each): NamedArtifact => {
    if (each.kind === "unchanged") return { name: each.artifact.name, kind: "unchanged", since: each.since };
    const { versions, variant, first, isFirst } = each;
    return { name: each.artifact.name, kind: "prepared", versions, variant, first, isFirst };
  });
  return { repo: { owner, name }, plan, refs, tags, artifacts };
}

async function pin(tx: Tx, station: Station, work: Work, { artifact, content }: Prepared): Promise<void> {
  const answer = await pinDigest(tx, work.delivery.id, artifact.name, work.fence, {
    ...content,
    frozenOn: station.storeId,
  });
  if (answer === "stale") throw new TransientError("lease-lost", "another worker has this delivery now");
  if (answer !== "pinned" && answer !== "same") {
    throw new Refused(
      "digest-pinned",
      `${artifact.name} is pinned to ${answer.slice("other:".length)}, and this build made ${content.digest}`,
    );
  }
}
