import { oneLine, willFailText } from "../../src/delivery/commit-status.ts";
import { UserError } from "../../src/delivery/errors.ts";
import { artifactsOf } from "../../src/ledger/artifacts.ts";
import { type Delivery, getDelivery, saveBecause } from "../../src/ledger/deliveries.ts";
import { clearDuePreparation } from "../../src/ledger/due-deliveries.ts";
import { attemptsOf, claimToPrepare, finishAttempt } from "../../src/ledger/leases.ts";
import type { AttemptOutcome } from "../../src/ledger/schema/schema.ts";
import { queueStatuses } from "../../src/ledger/statuses.ts";
import { inTrace } from "../../src/observe/span.ts";
import type { Run } from "../../src/run/run.ts";
import { BuildSlots, limitsOf } from "../build-slots.ts";
import { type UploadParts, uploadAhead } from "../names/upload.ts";
import type { Station } from "../station.ts";
import { Cancelled, type Lease, LeaseLost, ShuttingDown, takeLease } from "./lease.ts";
import { type PrepareParts, prepare } from "./line.ts";
import { type ReadParts, readWork } from "./read-work.ts";
import type { SettleParts } from "./settle-failure.ts";
import { endAttempt } from "./stages.ts";
import { factsOf, subjectOf } from "./trace.ts";
import { type Running, type Tools, underLease } from "./under-lease.ts";

/** What preparing ahead uses of the station. */
export type PrepareAheadParts = ReadParts &
  PrepareParts &
  UploadParts &
  SettleParts &
  Pick<Station, "owner" | "tmp" | "buildSlots" | "stageSeconds">;

/** A delivery that found no room, or that made room for a green commit, comes back after this time (ms). */
const RETRY_AFTER_MS = 5_000;

/** A commit whose gate is green needs the machine. */
class MadeRoom extends Error {}

/**
 * Does the first half of a delivery whose CI still runs, so that a green gate costs only the second half. It names
 * nothing, claims nothing, and changes nothing of the delivery's state: whatever its outcome, the delivery goes its own
 * way.
 * @param running gets its lease, so that a shutdown can end it
 */
export async function prepareAhead(station: PrepareAheadParts, id: string, running: Running): Promise<void> {
  const { ledger, queues, buildSlots } = station;
  if (await isDone(station, id)) return clearDuePreparation(ledger, id);
  const waiting = await getDelivery(ledger, id);
  if (waiting === null) return;
  const weight = heaviestBuild(station, waiting);
  const needed = new AbortController();
  const giveBack = buildSlots.takeSpare(weight, () => needed.abort());
  if (giveBack === null) {
    await queues.add("prepare", { delivery: id }, { delay: RETRY_AFTER_MS });
    return;
  }
  try {
    const lease = await takeLease(ledger, id, station.owner, claimToPrepare);
    if (lease === null) return;
    const makeRoom = () => lease.abort(new MadeRoom("a green commit needs the machine"));
    if (needed.signal.aborted) makeRoom();
    else needed.signal.addEventListener("abort", makeRoom);
    const capacity = new BuildSlots(weight);
    await underLease(station, id, lease, running, (tools) =>
      inTrace(subjectOf(waiting), "prepare ahead", factsOf(waiting), () =>
        firstHalf(station, id, lease, tools, capacity),
      ),
    );
  } finally {
    giveBack();
  }
  // Its gate may have turned green meanwhile: its job found the delivery under this lease, and ended.
  if ((await getDelivery(ledger, id))?.state === "queued") await queues.add("deliver", { delivery: id });
}

/** @param capacity what was spared for it */
async function firstHalf(
  station: PrepareAheadParts,
  id: string,
  lease: Lease,
  { run, log }: Tools,
  capacity: BuildSlots,
): Promise<void> {
  const { ledger, clock } = station;
  const began = clock.now();
  try {
    const delivery = await getDelivery(ledger, id);
    if (delivery === null) throw new Error(`delivery ${id} was claimed and is gone`);
    const work = await readWork(station, delivery, lease.fence, run);
    await uploadAhead(station, work, await prepare(station, work, run, { claims: false, capacity }), run);
    await finishAttempt(ledger, id, lease.fence, { outcome: "prepared" });
    await clearDuePreparation(ledger, id);
    log.info("prepared ahead, while CI runs", { ms: clock.now() - began });
  } catch (error) {
    await settle(station, id, lease, run, lease.signal.aborted ? lease.signal.reason : error);
  }
}

/** The weight of its heaviest build, by the plan that was known when it began to wait. */
function heaviestBuild(
  { config, buildSlots }: Pick<Station, "config" | "buildSlots">,
  { plan }: Pick<Delivery, "plan">,
): number {
  const artifacts = plan?.artifacts ?? [];
  return Math.max(1, ...artifacts.map((artifact) => buildSlots.weightOf(limitsOf({ config }, artifact).cpus)));
}

const FINAL: AttemptOutcome[] = ["prepared", "not-prepared", "failed-ahead"];

/** It was tried before, whatever the outcome, or every artifact is frozen. */
async function isDone({ ledger }: Pick<Station, "ledger">, id: string): Promise<boolean> {
  const attempts = await attemptsOf(ledger, id);
  if (attempts.some(({ outcome }) => outcome !== null && FINAL.includes(outcome))) return true;
  const artifacts = await artifactsOf(ledger, id);
  return artifacts.length > 0 && artifacts.every(({ digest }) => digest !== null);
}

/** Writes down why it stopped. */
async function settle(station: SettleParts, id: string, lease: Lease, run: Run, error: unknown): Promise<void> {
  const { ledger, queues } = station;
  const message = station.mask(oneLine(error instanceof Error ? error.message : String(error)));
  if (error instanceof Cancelled) {
    const delivery = await getDelivery(ledger, id);
    if (delivery !== null)
      await endAttempt(station, delivery, lease.fence, { state: error.state, because: message, outcome: "cancelled" });
    await queues.add("announce", {});
    return;
  }
  const comesBack = [MadeRoom, ShuttingDown, LeaseLost].some((reason) => error instanceof reason);
  run.log.line(`Preparing ahead stopped: ${message}`);
  if (error instanceof UserError) return reportItWillFail(station, id, lease, error.code, message);
  await finishAttempt(ledger, id, lease.fence, { outcome: comesBack ? "handed-back" : "not-prepared", message });
  if (!comesBack) await clearDuePreparation(ledger, id);
  if (error instanceof MadeRoom) await queues.add("prepare", { delivery: id }, { delay: RETRY_AFTER_MS });
}

/** The user's own failure: the same bytes would fail again, so the commit shows now what a green gate will end in. */
async function reportItWillFail(
  station: SettleParts,
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
