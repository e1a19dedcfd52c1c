import { oneLine } from "../../src/delivery/commit-status.ts";
import { Refused, TransientError, UserError } from "../../src/delivery/errors.ts";
import { backOff } from "../../src/delivery/retry.ts";
import { artifactsOf } from "../../src/ledger/artifacts.ts";
import { ACTIVE_STATES, getDelivery, setState } from "../../src/ledger/deliveries.ts";
import { lastHintId } from "../../src/ledger/hints.ts";
import { nextDueDelivery, recentFailureCodes } from "../../src/ledger/leases.ts";
import { storeTime } from "../../src/ledger/sql.ts";
import { hasNewsSince, haveRefsMovedSince, markHintsSeen, type Watermark } from "../../src/ledger/watermark.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import { clearBadPlan, queueStatuses, STATUS_DEBOUNCE_MS } from "../announce/queue-statuses.ts";
import { MAX_REF_AGE_MS } from "../commit/sync-mirror.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";
import { begin, type End, end, type Running, type Tools, underLease } from "./attempt.ts";
import { Cancelled, type Lease, LeaseLost, ShuttingDown, takeLease } from "./lease.ts";
import { prepare } from "./prepare.ts";
import { reportSaved } from "./prepare-ahead.ts";
import { NoLongerGreen, release } from "./release.ts";
import { resume } from "./resume.ts";

/** The world mends, however long it takes; a fault of our own rarely does. */
const BUG = "internal";
const BUG_ATTEMPTS = 5;

/**
 * One attempt at the delivery whose turn it is: takes the lease, prepares, releases, and writes down how it ended. What an
 * earlier attempt recorded is not done again. Returns when the attempt is over, whatever came of it, or where none is due.
 */
export async function deliverNext(station: Station, running: Running): Promise<void> {
  const taken = await takeNext(station);
  if (taken === null) return;
  const { id, lease } = taken;
  const reading = {
    lastHintId: await lastHintId(station.ledger),
    refsReadAt: (await storeTime(station.ledger)) - MAX_REF_AGE_MS,
  };
  const isResumed = (await getDelivery(station.ledger, id))?.naming != null;
  failpoint("deliver.claimed");
  await underLease(station, id, lease, running, async (tools) => {
    try {
      await attempt(station, id, lease, tools, reading);
    } catch (error) {
      await settle(station, id, lease, tools, lease.signal.aborted ? lease.signal.reason : error);
    }
  });
  await lookAgainWhereTold(station, id, isResumed ? null : reading);
}

/**
 * What is told of a commit under way waits for the attempt's end: a tag that it did not read, a CI that turned red or green since. All of that is owed in
 * the ledger, so the job is only the quicker way. @param reading null: the attempt went on with what was begun, and read nothing
 */
async function lookAgainWhereTold(station: Station, id: string, reading: Watermark | null): Promise<void> {
  const { ledger } = station;
  const delivery = await getDelivery(ledger, id);
  if (delivery === null || ACTIVE_STATES.some((state) => state === delivery.state)) return;
  const { repoId, sha, lookAt } = delivery;
  const isTold = reading === null || (await hasNewsSince(ledger, repoId, sha, reading));
  if (reading !== null) await markHintsSeen(ledger, delivery, reading);
  if (!isTold && lookAt === null) return;
  await station.queues.add("evaluate", { repo: repoId, sha, ref: null });
}

/** Whoever loses a delivery to another asks again: that other's is out of the way now. */
async function takeNext(station: Station): Promise<{ id: string; lease: Lease } | null> {
  for (;;) {
    const id = await nextDueDelivery(station.ledger);
    if (id === null) return null;
    const lease = await takeLease(station.ledger, id, station.owner);
    if (lease !== null) return { id, lease };
  }
}

async function attempt(
  station: Station,
  id: string,
  lease: Lease,
  { run, log, flush }: Tools,
  reading: Watermark,
): Promise<void> {
  const work = await begin(station, id, lease, run);
  const { naming } = work.delivery;
  log.info("preparing", { repo: fullName(work), sha: work.commit.sha, fence: lease.fence });
  if (naming === null) await enter(station, work, "building", "building");
  const prepared = naming === null ? await prepare(station, work, run) : await resume(station, work, naming, run);
  await enter(station, work, "publishing", `publishing to ${destinations(work)}`);
  await release(station, work, prepared, run);
  const versions = [...new Set(prepared.flatMap((each) => (each.kind === "unchanged" ? [] : each.versions)))];
  const because =
    versions.length === 0 ? "nothing changed that this pipeline releases" : `released ${versions.join(", ")}`;
  await reportSaved(station, id, run);
  run.log.line(because);
  await flush();
  // What changed meanwhile kept nothing back, and is told now.
  const isOwedLook = naming !== null || (await haveRefsMovedSince(station.ledger, work.repo.id, work.refs, reading));
  const done = { state: "delivered", because, outcome: "done" } as const;
  await end(station, work.delivery, lease, isOwedLook ? { ...done, evaluateIn: 0 } : done);
  failpoint("release.delivered");
  log.info("delivered", { repo: fullName(work), sha: work.commit.sha, versions });
  for (const { name } of work.plan.artifacts) await station.queues.add("names", { repo: work.repo.id, artifact: name });
  await station.queues.add("announce", {});
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
      await queueStatuses(
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
  // Nobody waits for it: what the next stage or the sweep queues sends it too.
  void station.queues.add("announce", {}, { delay: STATUS_DEBOUNCE_MS });
}

/** What became of an attempt that did not get through. */
async function settle(
  station: Station,
  id: string,
  lease: Lease,
  { run, log, flush }: Tools,
  error: unknown,
): Promise<void> {
  const delivery = await getDelivery(station.ledger, id).catch(() => null);
  if (delivery === null || error instanceof LeaseLost) {
    log.warn("the attempt stopped: its lease was lost", { fence: lease.fence });
    return;
  }
  const how = outcomeOf(error, await recentFailureCodes(station.ledger, id).catch(() => []));
  run.log.line(`✗ ${how.because}`);
  log[how.outcome === "failed" ? "warn" : "info"]("the attempt ended", {
    outcome: how.outcome,
    because: oneLine(how.because),
    error,
  });
  await flush();
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

/** @param before codes of the attempts in a row before this one that did not get through */
function outcomeOf(error: unknown, before: string[]): End {
  if (error instanceof ShuttingDown)
    return { state: "queued", because: "handed back: the worker is stopping", outcome: "handed-back" };
  if (error instanceof Cancelled) return { state: error.state, because: error.message, outcome: "cancelled" };
  if (error instanceof NoLongerGreen) {
    const { state, message: because, bad } = error;
    const outcome = state === "failed" ? "failed" : "handed-back";
    return { state, because, bad, outcome, failedBy: "plan", ...(state === "waiting" && { evaluateIn: 0 }) };
  }
  // Whoever bears its name now is another: nothing of this is built from there.
  if (error instanceof Refused && error.code === "repo-replaced")
    return { state: "superseded", because: error.message, outcome: "handed-back" };
  if (error instanceof UserError || error instanceof Refused) {
    return { state: "failed", because: error.message, outcome: "failed", errorCode: error.code };
  }
  const isForeseen = error instanceof TransientError;
  const errorCode = isForeseen ? error.code : BUG;
  const message = error instanceof Error ? error.message : String(error);
  const tried = before.filter((code) => code === errorCode).length + 1;
  if (tried >= ((isForeseen ? error.tries : BUG_ATTEMPTS) ?? Number.POSITIVE_INFINITY)) {
    const because = isForeseen ? `given up after ${tried} tries: ${message}` : `deliverd itself failed: ${message}`;
    return { state: "failed", because, outcome: "failed", errorCode };
  }
  const retryIn = backOff(before.length + 1, Math.random(), isForeseen ? error.retryAfter : null);
  return {
    state: "queued",
    because: `trying again in ${Math.ceil(retryIn / 1000)} s: ${message}`,
    outcome: "retry",
    errorCode,
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
