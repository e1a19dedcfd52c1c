import type { Counter } from "../src/observe/metrics.ts";
import type { RedisAddress } from "../src/queue/connection.ts";
import { type Consumer, consume } from "../src/queue/consume.ts";
import { StalledConsumers } from "../src/queue/stalled-consumers.ts";
import { Announcer } from "./announce/announcer.ts";
import type { Running } from "./deliver/attempt.ts";
import { deliverNext } from "./deliver/deliver.ts";
import { ShuttingDown } from "./deliver/lease.ts";
import { prepareAhead } from "./deliver/prepare-ahead.ts";
import { evaluate } from "./evaluate/evaluate.ts";
import { fairly, looksIn, namesIn } from "./fair-jobs.ts";
import { queueVerification } from "./names/check-drift.ts";
import { reconcileNames } from "./names/reconcile-names.ts";
import type { Station } from "./station.ts";
import { isDiskNearlyFull, runHousekeeping } from "./sweep/housekeeping.ts";
import { HostPoller } from "./sweep/poll-hosts.ts";
import { sweep } from "./sweep/sweep.ts";

const SWEEP_EVERY = 10_000;
const WATCH_EVERY = 15_000;
const HOUSE_EVERY = 10 * 60_000;
const VERIFY_EVERY = 60_000;
const EVALUATIONS = 8;
const NAMES = 4;

export interface Workers {
  /** Takes no more work, lets what runs go on for `grace` ms, then hands it back. */
  stop(grace: number): Promise<void>;
}

/** Runs every station in this process: each takes its jobs from its own queue. */
export function startWorkers(station: Station, redis: RedisAddress, renewed: Counter): Workers {
  const { log } = station;
  const running: Running = new Set();
  const ahead: Running = new Set();
  const announcer = new Announcer(station);
  const consumers: Consumer[] = [
    consume(
      redis,
      "evaluate",
      EVALUATIONS,
      fairly(station, "evaluate", EVALUATIONS, looksIn(station), (job) => evaluate(station, job)),
      log,
    ),
    consume(
      redis,
      "deliver",
      station.config.workers.slots,
      // A job says that there is work; which comes next, the ledger says.
      async () => {
        if (await hasRoom(station)) await deliverNext(station, running);
      },
      log,
    ),
    consume(
      redis,
      "prepare",
      station.config.workers.slots,
      async ({ delivery }) => {
        if (await hasRoom(station)) await prepareAhead(station, delivery, ahead);
      },
      log,
    ),
    consume(
      redis,
      "names",
      NAMES,
      fairly(station, "names", NAMES, namesIn(station), (job) => reconcileNames(station, job)),
      log,
    ),
    consume(redis, "announce", 1, () => announcer.wake(), log),
  ];
  let sweeping: Promise<void> = Promise.resolve();
  const sweepOnce = (hintAge?: number) => {
    sweeping = sweeping
      .then(() => sweep(station, hintAge))
      .catch((error: unknown) => log.error("the sweep failed", { error }));
  };
  const watch = new HostPoller(station);
  let watching: Promise<void> = Promise.resolve();
  let isWatching = false;
  const watchOnce = () => {
    if (isWatching) return;
    isWatching = true;
    watching = watch
      .round()
      .catch((error: unknown) => log.warn("the hosts could not be asked; the next round comes", { error }))
      .finally(() => {
        isWatching = false;
      });
  };
  let keeping: Promise<void> = Promise.resolve();
  const keepOnce = () => {
    keeping = runHousekeeping(station).catch((error: unknown) =>
      log.warn("could not keep house; the next round comes", { error }),
    );
  };
  const verifyOnce = () => {
    queueVerification(station).catch((error: unknown) =>
      log.warn("names could not be verified; the next round comes", { error }),
    );
  };
  const silence = new StalledConsumers(consumers, station.queues, log, renewed);
  const listenOnce = () => {
    silence.check().catch((error: unknown) => log.warn("consumers could not be checked", { error }));
  };
  sweepOnce(0);
  watchOnce();
  const timers = [
    setInterval(() => sweepOnce(), SWEEP_EVERY),
    setInterval(watchOnce, WATCH_EVERY),
    setInterval(keepOnce, HOUSE_EVERY),
    setInterval(verifyOnce, VERIFY_EVERY),
    setInterval(listenOnce, SWEEP_EVERY),
  ];
  return {
    async stop(grace) {
      for (const timer of timers) clearInterval(timer);
      const closed = Promise.allSettled(consumers.map((consumer) => consumer.close()));
      const ending = new ShuttingDown("the worker is stopping");
      stopAll(ahead, ending);
      const deadline = setTimeout(() => stopAll(running, ending), grace);
      await closed;
      clearTimeout(deadline);
      await announcer.stop();
      await sweeping;
      await watching;
      await keeping;
    },
  };
}

/** Nothing new is begun on a disk that is nearly full: the sweep brings the delivery again, when there may be room. */
async function hasRoom({ config, log }: Station): Promise<boolean> {
  const isFull = await isDiskNearlyFull(config.dataDir);
  if (isFull) log.error("the disk is nearly full: new work waits for room", { dataDir: config.dataDir });
  return !isFull;
}

function stopAll(leases: Running, reason: Error): void {
  for (const lease of leases) lease.abort(reason);
}
