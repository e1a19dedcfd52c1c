import { oneLine, willFailText } from "../../src/delivery/commit-status.ts";
import { UserError } from "../../src/delivery/errors.ts";
import { artifactsOf } from "../../src/ledger/artifacts.ts";
import { getDelivery, saveBecause } from "../../src/ledger/deliveries.ts";
import { clearDuePreparation } from "../../src/ledger/due-deliveries.ts";
import { attemptsOf, claimToPrepare, finishAttempt } from "../../src/ledger/leases.ts";
import type { AttemptOutcome } from "../../src/ledger/schema/schema.ts";
import type { Run } from "../../src/run/run.ts";
import { queueStatuses } from "../announce/queue-statuses.ts";
import { BuildSlots } from "../build-slots.ts";
import { uploadAhead } from "../names/upload.ts";
import type { Station } from "../station.ts";
import { begin, end, type Running, underLease } from "./attempt.ts";
import { limitsOf } from "./build.ts";
import { Cancelled, type Lease, LeaseLost, ShuttingDown, takeLease } from "./lease.ts";
import { prepare } from "./prepare.ts";

/** What found no room, or made room for work whose light is green, comes back after so long (ms). */
const LATER = 5_000;

/** Work whose light is green needs the machine. */
class MadeRoom extends Error {}

/**
 * Does the first half of a delivery whose CI still runs, so that a green light costs only the second. It names nothing,
 * claims nothing, and changes nothing of the delivery's state: whatever becomes of it, the delivery goes its own way.
 */
export async function prepareAhead(station: Station, id: string, ahead: Running): Promise<void> {
  if (await isTold(station, id)) return clearDuePreparation(station.ledger, id);
  const weight = await heaviest(station, id);
  const needed = new AbortController();
  const giveBack = station.buildSlots.takeSpare(weight, () => needed.abort());
  if (giveBack === null) {
    await station.queues.add("prepare", { delivery: id }, { delay: LATER });
    return;
  }
  try {
    const lease = await takeLease(station.ledger, id, station.owner, claimToPrepare);
    if (lease === null) return;
    const makeRoom = () => lease.abort(new MadeRoom("a green commit needs the machine"));
    if (needed.signal.aborted) makeRoom();
    else needed.signal.addEventListener("abort", makeRoom);
    await firstHalf(station, id, lease, ahead, new BuildSlots(weight));
  } finally {
    giveBack();
  }
  // Its light may have turned green meanwhile: its job found it under this lease, and went.
  if ((await getDelivery(station.ledger, id))?.state === "queued")
    await station.queues.add("deliver", { delivery: id });
}

/** @param capacity what was spared for it */
async function firstHalf(
  station: Station,
  id: string,
  lease: Lease,
  ahead: Running,
  capacity: BuildSlots,
): Promise<void> {
  await underLease(station, id, lease, ahead, async ({ run, log }) => {
    const began = station.clock.now();
    try {
      const work = await begin(station, id, lease, run);
      await uploadAhead(station, work, await prepare(station, work, run, { claims: false, capacity }), run);
      await finishAttempt(station.ledger, id, lease.fence, { outcome: "prepared" });
      await clearDuePreparation(station.ledger, id);
      log.info("prepared ahead, while CI runs", { ms: station.clock.now() - began });
    } catch (error) {
      await letGo(station, id, lease, run, lease.signal.aborted ? lease.signal.reason : error);
    }
  });
}

/** The weight of its heaviest build, as its plan was known when it began to wait. */
async function heaviest({ config, ledger, buildSlots }: Station, id: string): Promise<number> {
  const artifacts = (await getDelivery(ledger, id))?.plan?.artifacts ?? [];
  return Math.max(1, ...artifacts.map((artifact) => buildSlots.weightOf(limitsOf({ config }, artifact).cpus)));
}

const TOLD: AttemptOutcome[] = ["prepared", "not-prepared", "failed-ahead"];

/** It was tried before, whatever came of it, or there is nothing left to do. */
async function isTold(station: Station, id: string): Promise<boolean> {
  const attempts = await attemptsOf(station.ledger, id);
  if (attempts.some(({ outcome }) => outcome !== null && TOLD.includes(outcome))) return true;
  const artifacts = await artifactsOf(station.ledger, id);
  return artifacts.length > 0 && artifacts.every(({ digest }) => digest !== null);
}

async function letGo(station: Station, id: string, lease: Lease, run: Run, error: unknown): Promise<void> {
  const message = station.mask(oneLine(error instanceof Error ? error.message : String(error)));
  if (error instanceof Cancelled) {
    const delivery = await getDelivery(station.ledger, id);
    if (delivery !== null)
      await end(station, delivery, lease, { state: error.state, because: message, outcome: "cancelled" });
    await station.queues.add("announce", {});
    return;
  }
  const comesBack = [MadeRoom, ShuttingDown, LeaseLost].some((reason) => error instanceof reason);
  run.log.line(`Preparing ahead stopped: ${message}`);
  if (error instanceof UserError) return void (await reportItWillFail(station, id, lease, error.code, message));
  await finishAttempt(station.ledger, id, lease.fence, {
    outcome: comesBack ? "handed-back" : "not-prepared",
    message,
  });
  if (!comesBack) await clearDuePreparation(station.ledger, id);
  if (error instanceof MadeRoom) await station.queues.add("prepare", { delivery: id }, { delay: LATER });
}

/** The user's own failure: the same bytes would have it again, so the commit says at once what its green light will come to. */
async function reportItWillFail(
  station: Station,
  id: string,
  lease: Lease,
  errorCode: string,
  message: string,
): Promise<void> {
  await station.ledger.transaction(async (tx) => {
    const held = await finishAttempt(tx, id, lease.fence, { outcome: "failed-ahead", errorCode, message });
    await clearDuePreparation(tx, id);
    const because = willFailText(message);
    if (!held || !(await saveBecause(tx, id, because))) return;
    const delivery = await getDelivery(tx, id);
    if (delivery === null) return;
    const names = delivery.plan?.artifacts.map((artifact) => artifact.name) ?? [];
    const subject = { repoId: delivery.repoId, sha: delivery.sha, deliveryId: id };
    await queueStatuses(tx, station, subject, names, "waiting", because, true);
  });
  await station.queues.add("announce", {});
}

/** Says in the delivery's log what was done while its CI ran. */
export async function reportSaved(station: Station, id: string, run: Run): Promise<void> {
  const seconds = await secondsAhead(station, id);
  if (seconds === 0) return;
  const shown = `${seconds.toFixed(1)} s of this delivery were over before its light was green`;
  run.log.line(`Prepared ahead, while CI ran: ${shown}`);
  station.ahead.add({ outcome: "saved" }, seconds);
}

/** The commit will not be delivered: what was done for it ahead was in vain. */
export async function reportWasted(station: Station, id: string): Promise<void> {
  const seconds = await secondsAhead(station, id);
  if (seconds === 0) return;
  station.log.info("prepared ahead in vain", { delivery: id, seconds });
  station.ahead.add({ outcome: "wasted" }, seconds);
}

async function secondsAhead(station: Station, id: string): Promise<number> {
  const attempts = await attemptsOf(station.ledger, id);
  // Told once: a delivered commit comes back for every name that it gains.
  if (attempts.some(({ outcome }) => outcome === "done")) return 0;
  const prepared = attempts.filter(({ outcome }) => outcome === "prepared");
  return prepared.reduce((sum, { startedAt, endedAt }) => sum + (endedAt ?? startedAt) - startedAt, 0) / 1000;
}
