import { hostname } from "node:os";
import { endDutiesOf } from "../src/ledger/duties.ts";
import { releaseLeasesOf } from "../src/ledger/leases.ts";
import { releaseOutboxLeasesOf } from "../src/ledger/outbox-leases.ts";
import { removeWorker, reportWorker } from "../src/ledger/workers.ts";
import type { Counter } from "../src/observe/metrics.ts";
import { inTrace, span } from "../src/observe/span.ts";
import type { TraceSubject } from "../src/observe/trace.ts";
import type { Consumer } from "../src/queue/consume.ts";
import type { Jobs, QueueName } from "../src/queue/queues.ts";
import { StalledConsumers } from "../src/queue/stalled-consumers.ts";
import { VERSION } from "../src/run/version.ts";
import { Announcer } from "./announce/announcer.ts";
import { deliverNext } from "./deliver/deliver.ts";
import { endRunning } from "./deliver/end-running.ts";
import { prepareAhead } from "./deliver/prepare-ahead.ts";
import type { Running } from "./deliver/under-lease.ts";
import { carryOutOrders } from "./evaluate/carry-out-orders.ts";
import { evaluate } from "./evaluate/evaluate.ts";
import { evaluateMemory, fairly, namesMemory } from "./fair-jobs.ts";
import { queueVerification } from "./names/check-drift.ts";
import { reconcileNames } from "./names/reconcile-names.ts";
import { every, type Round, startRounds } from "./rounds.ts";
import type { Station } from "./station.ts";
import { CatchUp } from "./sweep/catch-up.ts";
import { isDiskNearlyFull, runHousekeeping } from "./sweep/housekeeping.ts";
import { HostPoller } from "./sweep/poll-hosts.ts";
import { sweep } from "./sweep/sweep.ts";

const S = 1_000;
const MIN = 60 * S;
const EVALUATIONS = 8;
const NAMES = 4;

export interface Workers {
  /** Takes no more work, lets what runs go on for `grace` ms, then hands it back. */
  stop(grace: number): Promise<void>;
}

/** Begins to take the jobs of one queue, so many at a time. */
export type Consume = <N extends QueueName>(name: N, places: number, work: (job: Jobs[N]) => Promise<void>) => Consumer;

/**
 * Runs every station in this process: each takes its jobs from its own queue.
 * @param inRound does the work of each round, so that its calls can be observed
 */
export function startWorkers(
  station: Station,
  consume: Consume,
  renewed: Counter,
  inRound: (work: () => Promise<void>) => Promise<void> = (work) => work(),
): Workers {
  const { config, log, queues } = station;
  const { slots } = config.workers;
  const delivering: Running = new Set();
  const preparing: Running = new Set();
  const announcer = new Announcer(station);
  const poller = new HostPoller(station);
  const catchUp = new CatchUp(station);
  const evaluateFairly = fairly(station, "evaluate", EVALUATIONS, evaluateMemory(station), (job) =>
    inTrace(subjectOf(job), "evaluate", { repo: job.repo, sha: job.sha ?? undefined, ref: job.ref ?? undefined }, () =>
      evaluate(station, job),
    ),
  );
  const reconcileFairly = fairly(station, "names", NAMES, namesMemory(station), (job) =>
    span("names", { repo: job.repo, artifact: job.artifact }, () => reconcileNames(station, job)),
  );
  const begin = (...list: Round[]) =>
    startRounds(
      log,
      list.map((round) => ({ ...round, run: (isFirst) => inRound(() => round.run(isFirst)) })),
    );

  const consumers: Consumer[] = [
    consume("evaluate", EVALUATIONS, evaluateFairly),
    // A job says that there is work; the ledger says which delivery comes next.
    consume("deliver", slots, async () => {
      if (await hasRoom(station)) await deliverNext(station, delivering);
    }),
    consume("prepare", slots, async ({ delivery }) => {
      if (await hasRoom(station)) await prepareAhead(station, delivery, preparing);
    }),
    consume("names", NAMES, reconcileFairly),
    consume("announce", 1, () => announcer.wake()),
  ];
  const silence = new StalledConsumers(consumers, queues, log, renewed);
  const rounds = begin(
    // Hints that came while no worker ran may have no job: the first sweep takes them whatever their age.
    every(10 * S, "the sweep failed", (isFirst) => sweep(station, isFirst ? 0 : undefined), {
      atStart: true,
      level: "error",
    }),
    every(3 * S, "the orders of people could not be read; the next round comes", () => carryOutOrders(station)),
    every(15 * S, "the hosts could not be asked; the next round comes", () => poller.round(), { atStart: true }),
    every(1 * MIN, "what was lost could not be caught up; the next round comes", () => catchUp.round(), {
      atStart: true,
    }),
    every(10 * MIN, "could not keep house; the next round comes", () => runHousekeeping(station)),
    every(1 * MIN, "names could not be verified; the next round comes", () => queueVerification(station)),
    every(10 * S, "consumers could not be checked", () => silence.check()),
    every(10 * S, "this worker could not report that it is there", () => reportPresence(station), { atStart: true }),
  );
  return {
    async stop(grace) {
      const stopped = rounds.stop();
      const closed = Promise.allSettled(consumers.map((consumer) => consumer.close()));
      await endRunning(station, { delivering, preparing }, { grace, ended: closed });
      await announcer.stop();
      await stopped;
      // A ledger that does not answer now forgets it later.
      await removeWorker(station.ledger, station.owner).catch(() => {});
    },
  };
}

/**
 * Frees what earlier processes on this dataDir have held. It is locked for this process alone, so they are dead.
 * @param directory the id of dataDir, with which their owner names begin
 */
export async function releaseLeftovers({ ledger, log }: Pick<Station, "ledger" | "log">, directory: string) {
  for (const delivery of await releaseLeasesOf(ledger, `${directory}/`))
    log.info("a delivery that this worker left behind is free again", { delivery });
  await releaseOutboxLeasesOf(ledger, `${directory}/`);
  await endDutiesOf(ledger, `${directory}/`);
}

/** Says that this process works, and how much. */
function reportPresence({
  ledger,
  owner,
  buildSlots,
}: Pick<Station, "ledger" | "owner" | "buildSlots">): Promise<void> {
  const { busy, ahead } = buildSlots.usage();
  return reportWorker(ledger, { owner, machine: hostname(), version: VERSION, slots: buildSlots.slots, busy, ahead });
}

/** The trace of an evaluation: of its commit, or of its ref while the commit is not known. */
function subjectOf({ repo, sha, ref }: Jobs["evaluate"]): TraceSubject {
  return { repoId: repo, commit: sha ?? ref ?? "" };
}

/** Nothing new begins on a disk that is nearly full: the sweep brings the delivery again, when there may be room. */
async function hasRoom({ config, log }: Pick<Station, "config" | "log">): Promise<boolean> {
  const isFull = await isDiskNearlyFull(config.dataDir);
  if (isFull) log.error("the disk is nearly full: new work waits for room", { dataDir: config.dataDir });
  return !isFull;
}
