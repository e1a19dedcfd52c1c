import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { oneLine } from "../../src/delivery/commit-status.ts";
import type { DeliveryState } from "../../src/delivery/types.ts";
import { requireDate } from "../../src/git/commit.ts";
import { artifactsOf, setArtifactState } from "../../src/ledger/artifacts.ts";
import { type Delivery, getDelivery, setState } from "../../src/ledger/deliveries.ts";
import { type AttemptEnd, finishAttempt } from "../../src/ledger/leases.ts";
import { appendLog, logBytes } from "../../src/ledger/logs.ts";
import { queueNameUpdate } from "../../src/ledger/name-updates.ts";
import { getRepo } from "../../src/ledger/repos.ts";
import type { FailedBy } from "../../src/ledger/schema/schema.ts";
import type { Log } from "../../src/observe/log.ts";
import type { Run } from "../../src/run/run.ts";
import { noteCancelledLate } from "../announce/after-release.ts";
import { queueStatuses } from "../announce/queue-statuses.ts";
import { inspect } from "../commit/inspect.ts";
import { MAX_REF_AGE_MS, syncMirror } from "../commit/sync-mirror.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";
import type { Lease } from "./lease.ts";
import { NoLongerGreen } from "./release.ts";
import { workOf } from "./resume.ts";
import { createRunLog } from "./run-log.ts";

/** What runs in this process, so that a shutdown can end it. */
export type Running = Set<Lease>;

/** What the work on a delivery is handed. */
export interface Tools {
  run: Run;
  log: Log;
  /** Keeps all that was said so far: who follows the log stops at the delivery's end. */
  flush(): Promise<void>;
}

/** Hands the work what it runs with, and clears up behind it. */
export async function underLease(
  station: Station,
  id: string,
  lease: Lease,
  running: Running,
  work: (tools: Tools) => Promise<void>,
): Promise<void> {
  running.add(lease);
  const log = station.log.with({ delivery: id });
  const runLog = createRunLog({
    append: async (text) => void (await appendLog(station.ledger, id, text)),
    mask: station.mask,
    written: await logBytes(station.ledger, id),
    onLost: (error) => log.warn("a piece of the delivery's log could not be kept", { error }),
  });
  await mkdir(station.tmp, { recursive: true });
  const tmp = await mkdtemp(join(station.tmp, `${id}-`));
  try {
    const run: Run = { log: runLog, signal: lease.signal, tmp, clock: station.clock };
    await work({ run, log, flush: () => runLog.flush() });
  } finally {
    lease.stop();
    running.delete(lease);
    await runLog.flush();
    await rm(tmp, { recursive: true, force: true });
  }
}

/** Reads what the delivery is about; the plan is read at the commit itself, each time. */
export async function begin(station: Station, id: string, lease: Lease, run: Run): Promise<Work> {
  const delivery = await getDelivery(station.ledger, id);
  const known = delivery === null ? null : await getRepo(station.ledger, delivery.repoId);
  if (delivery === null || known === null) throw new Error(`delivery ${id} is in no repo`);
  run.log.line(`— attempt ${delivery.attempts}, ${new Date(station.clock.now()).toISOString()}`);
  if (delivery.naming !== null) return workOf(station, delivery, known, delivery.naming, lease.fence);
  const { repo, mirror } = await syncMirror(station, known, run.signal, { age: MAX_REF_AGE_MS });
  const found = await inspect(station, repo, mirror, delivery.sha, { needsLight: false });
  if (found.badPlan !== null) throw new NoLongerGreen("failed", found.badPlan.message, true);
  if (found.plan === null || found.verdict.action === "superseded" || found.verdict.action === "ignore") {
    throw new NoLongerGreen(
      found.verdict.action === "superseded" ? "superseded" : "ignored",
      found.verdict.because,
      false,
    );
  }
  const commit = requireDate(await mirror.commit(delivery.sha));
  const tags = await mirror.tagsOn(delivery.sha);
  return { delivery, repo, mirror, commit, plan: found.plan, refs: found.refs, tags, fence: lease.fence };
}

export interface End {
  state: DeliveryState;
  because: string;
  outcome: AttemptEnd["outcome"];
  errorCode?: string;
  retryIn?: number;
  bad?: boolean;
  failedBy?: FailedBy;
  /** To be looked at in so many ms, told of or not. */
  evaluateIn?: number;
}

/** Writes how the attempt ended, in one transaction with what the commit is told. */
export async function end(station: Station, delivery: Delivery, lease: Lease, how: End): Promise<void> {
  await station.ledger.transaction(async (tx) => {
    const because = station.mask(how.because);
    const retryIn = how.retryIn ?? null;
    const from: DeliveryState[] = ["waiting", "queued", "building", "publishing"];
    const before = await getDelivery(tx, delivery.id);
    const { state: to, failedBy, evaluateIn } = how;
    if (!(await setState(tx, delivery.id, { from, to, because, fence: lease.fence, retryIn, failedBy, evaluateIn })))
      return;
    await finishAttempt(tx, delivery.id, lease.fence, {
      outcome: how.outcome,
      errorCode: how.errorCode ?? null,
      message: because,
      retryIn,
    });
    if (how.state === "delivered") {
      for (const { name: artifact } of await artifactsOf(tx, delivery.id)) {
        await queueNameUpdate(tx, { repoId: delivery.repoId, sha: delivery.sha, deliveryId: delivery.id, artifact });
      }
      // One that came before the first name would have ended the attempt.
      if (before?.cancelRequested) await noteCancelledLate(tx, station, delivery);
      return;
    }
    const artifacts = await artifactsOf(tx, delivery.id);
    const open = artifacts
      .filter((each) => each.state !== "released" && each.state !== "unchanged")
      .map((each) => each.name);
    if (how.state === "failed" || how.state === "cancelled") {
      for (const name of open) await setArtifactState(tx, delivery.id, name, how.state, oneLine(because));
    }
    const named = artifacts.length > 0 ? open : (delivery.plan?.artifacts ?? []).map((each) => each.name);
    const subject = { repoId: delivery.repoId, sha: delivery.sha, deliveryId: delivery.id };
    if (named.length > 0 || artifacts.length === 0) {
      await queueStatuses(tx, station, subject, named, how.state, because, how.bad ?? false);
    }
  });
}
