import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Refused, TransientError, UserError } from "../src/delivery/errors.ts";
import { oneLine } from "../src/delivery/reports.ts";
import { backOff } from "../src/delivery/retry.ts";
import type { DeliveryState } from "../src/delivery/types.ts";
import { failpoint } from "../src/failpoints.ts";
import { artifactsOf, setArtifactState } from "../src/ledger/artifacts.ts";
import { type Delivery, getDelivery, setState } from "../src/ledger/deliveries.ts";
import { type AttemptEnd, failuresInARow, finishAttempt } from "../src/ledger/leases.ts";
import { appendLog, logBytes } from "../src/ledger/logs.ts";
import { oweNames } from "../src/ledger/outbox.ts";
import { getRepo } from "../src/ledger/repos.ts";
import type { Log } from "../src/log.ts";
import type { Run } from "../src/run.ts";
import { Cancelled, type Lease, LeaseLost, ShuttingDown, takeLease } from "./lease.ts";
import { look } from "./look.ts";
import { prepare, type Work } from "./prepare.ts";
import { NoLongerGreen, release } from "./release.ts";
import { clearBadPlan, queueReports } from "./reports.ts";
import { createRunLog } from "./run-log.ts";
import type { Station } from "./station.ts";
import { syncMirror } from "./sync.ts";

/** The world mends, however long it takes; a fault of our own rarely does. */
const BUG = "internal";
const BUG_ATTEMPTS = 5;
/** The evaluation that queued a delivery has mostly just asked the host (ms). Before anything is named, it is asked again. */
const JUST_NOW = 5_000;

/** What runs in this process, so that a shutdown can end it. */
export type Running = Set<Lease>;

/**
 * One attempt at a delivery: takes the lease, prepares, releases, and writes down how it ended. What an earlier attempt
 * recorded is not done again. Returns when the attempt is over, whatever came of it.
 */
export async function deliver(station: Station, id: string, running: Running): Promise<void> {
  const lease = await takeLease(station.ledger, id, station.owner);
  if (lease === null) return;
  failpoint("deliver.claimed");
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
  const run: Run = { log: runLog, signal: lease.signal, tmp, clock: station.clock };
  try {
    await attempt(station, id, lease, run, log);
  } catch (error) {
    await settle(station, id, lease, run, log, lease.signal.aborted ? lease.signal.reason : error);
  } finally {
    lease.stop();
    running.delete(lease);
    await runLog.flush();
    await rm(tmp, { recursive: true, force: true });
  }
}

async function attempt(station: Station, id: string, lease: Lease, run: Run, log: Log): Promise<void> {
  const work = await begin(station, id, lease, run);
  log.info("preparing", { repo: fullName(work), sha: work.commit.sha, fence: lease.fence });
  await enter(station, work, "building", "building");
  const prepared = await prepare(station, work, run);
  await enter(station, work, "publishing", `publishing to ${destinations(work)}`);
  await release(station, work, prepared, run);
  const versions = [...new Set(prepared.flatMap((each) => ("since" in each ? [] : each.versions)))];
  const because =
    versions.length === 0 ? "nothing changed that this pipeline releases" : `released ${versions.join(", ")}`;
  await end(station, work.delivery, lease, { state: "delivered", because, outcome: "done" });
  failpoint("release.delivered");
  run.log.line(because);
  log.info("delivered", { repo: fullName(work), sha: work.commit.sha, versions });
  for (const { name } of work.plan.artifacts) await station.queues.add("names", { repo: work.repo.id, artifact: name });
  await station.queues.add("announce", {});
}

/** Reads what the delivery is about; the plan is read at the commit itself, each time. */
async function begin(station: Station, id: string, lease: Lease, run: Run): Promise<Work> {
  const delivery = await getDelivery(station.ledger, id);
  const known = delivery === null ? null : await getRepo(station.ledger, delivery.repoId);
  if (delivery === null || known === null) throw new Error(`delivery ${id} is in no repo`);
  run.log.line(`— attempt ${delivery.attempts}, ${new Date(station.clock.now()).toISOString()}`);
  const { repo, mirror } = await syncMirror(station, known, run.signal, JUST_NOW);
  const found = await look(station, repo, mirror, delivery.sha, { askCi: false });
  if (found.badPlan !== null) throw found.badPlan;
  if (found.plan === null || found.verdict.action === "superseded" || found.verdict.action === "ignore") {
    throw new NoLongerGreen(
      found.verdict.action === "superseded" ? "superseded" : "ignored",
      found.verdict.because,
      false,
    );
  }
  const commit = await mirror.commit(delivery.sha);
  const tags = await mirror.tagsOn(delivery.sha);
  return { delivery, repo, mirror, commit, plan: found.plan, refs: found.refs, tags, fence: lease.fence };
}

/** The next stage, shown on the commit. A stale fence stops here. */
async function enter(station: Station, work: Work, state: "building" | "publishing", because: string): Promise<void> {
  const { delivery, repo, plan, fence } = work;
  const moved = await station.ledger.transaction(async (tx) => {
    const done = await setState(tx, delivery.id, {
      from: ["queued", "building", "publishing"],
      to: state,
      because,
      fence,
    });
    const subject = { repoId: repo.id, sha: delivery.sha, deliveryId: delivery.id };
    if (done) await clearBadPlan(tx, station, subject);
    if (done)
      await queueReports(
        tx,
        station,
        subject,
        await unreleased(
          tx,
          plan.artifacts.map((each) => each.name),
          delivery.id,
        ),
        state,
        because,
      );
    return done;
  });
  if (!moved) throw new LeaseLost("another worker has this delivery now");
  await station.queues.add("announce", {});
}

interface End {
  state: DeliveryState;
  because: string;
  outcome: AttemptEnd["outcome"];
  errorCode?: string;
  retryIn?: number;
  bad?: boolean;
}

/** Writes how the attempt ended, in one transaction with what the commit is told. */
async function end(station: Station, delivery: Delivery, lease: Lease, how: End): Promise<void> {
  await station.ledger.transaction(async (tx) => {
    const because = station.mask(how.because);
    const retryIn = how.retryIn ?? null;
    const from: DeliveryState[] = ["queued", "building", "publishing"];
    if (!(await setState(tx, delivery.id, { from, to: how.state, because, fence: lease.fence, retryIn }))) return;
    await finishAttempt(tx, delivery.id, lease.fence, {
      outcome: how.outcome,
      errorCode: how.errorCode ?? null,
      message: because,
      retryIn,
    });
    if (how.state === "delivered") {
      for (const { name: artifact } of await artifactsOf(tx, delivery.id)) {
        await oweNames(tx, { repoId: delivery.repoId, sha: delivery.sha, deliveryId: delivery.id, artifact });
      }
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
      await queueReports(tx, station, subject, named, how.state, because, how.bad ?? false);
    }
  });
}

/** What became of an attempt that did not get through. */
async function settle(station: Station, id: string, lease: Lease, run: Run, log: Log, error: unknown): Promise<void> {
  const delivery = await getDelivery(station.ledger, id).catch(() => null);
  if (delivery === null || error instanceof LeaseLost) {
    log.warn("the attempt stopped: its lease was lost", { fence: lease.fence });
    return;
  }
  const how = outcomeOf(error, (await failuresInARow(station.ledger, id).catch(() => 0)) + 1);
  run.log.line(`✗ ${how.because}`);
  log[how.outcome === "failed" ? "warn" : "info"]("the attempt ended", {
    outcome: how.outcome,
    because: oneLine(how.because),
    error,
  });
  try {
    await end(station, delivery, lease, how);
  } catch (ledgerError) {
    // The lease runs out by itself, and the sweep finds the delivery.
    log.error("the end of the attempt could not be written", { error: ledgerError });
    return;
  }
  if (how.state === "queued") await station.queues.add("deliver", { delivery: id }, { delay: how.retryIn ?? 0 });
  await station.queues.add("announce", {});
}

/** @param failures attempts in a row that did not get through, this one with them */
function outcomeOf(error: unknown, failures: number): End {
  if (error instanceof ShuttingDown)
    return { state: "queued", because: "handed back: the worker is stopping", outcome: "handed-back" };
  if (error instanceof Cancelled) return { state: error.state, because: error.message, outcome: "cancelled" };
  if (error instanceof NoLongerGreen)
    return { state: error.state, because: error.message, outcome: "handed-back", bad: error.bad };
  if (error instanceof UserError || error instanceof Refused) {
    return { state: "failed", because: error.message, outcome: "failed", errorCode: error.code };
  }
  const code = error instanceof TransientError ? error.code : BUG;
  const message = error instanceof Error ? error.message : String(error);
  if (code === BUG && failures >= BUG_ATTEMPTS) {
    return { state: "failed", because: `deliverd itself failed: ${message}`, outcome: "failed", errorCode: code };
  }
  const asked = error instanceof TransientError ? error.retryAfter : null;
  const retryIn = backOff(failures, Math.random(), asked);
  return {
    state: "queued",
    because: `trying again in ${Math.ceil(retryIn / 1000)} s: ${message}`,
    outcome: "retry",
    errorCode: code,
    retryIn,
  };
}

async function unreleased(
  tx: Parameters<typeof artifactsOf>[0],
  names: string[],
  deliveryId: string,
): Promise<string[]> {
  const done = new Set(
    (await artifactsOf(tx, deliveryId)).filter((each) => each.state === "released").map((each) => each.name),
  );
  return names.filter((name) => !done.has(name));
}

function destinations(work: Work): string {
  return [...new Set(work.plan.artifacts.flatMap((each) => each.publish.map((to) => to.to)))].join(", ");
}

function fullName({ repo }: Work): string {
  return `${repo.host}/${repo.owner}/${repo.name}`;
}
