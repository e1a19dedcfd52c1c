import { Refused, TransientError, UserError } from "../src/delivery/errors.ts";
import { backOff } from "../src/delivery/retry.ts";
import type { RedisAddress } from "../src/queue/connection.ts";
import { type Consumer, consume } from "../src/queue/consume.ts";
import type { Jobs } from "../src/queue/queues.ts";
import { Announcer } from "./announce.ts";
import type { Running } from "./attempt.ts";
import { deliverNext } from "./deliver.ts";
import { evaluate } from "./evaluate.ts";
import { isDiskNearlyFull, keepHouse } from "./housekeeping.ts";
import { ShuttingDown } from "./lease.ts";
import { reconcileNames } from "./names.ts";
import { prepareAhead } from "./prepare-ahead.ts";
import type { Station } from "./station.ts";
import { sweep } from "./sweep.ts";
import { queueVerification } from "./verify.ts";
import { Watch } from "./watch.ts";

const SWEEP_EVERY = 10_000;
const WATCH_EVERY = 15_000;
/** A job that failed and did not come back for so long is nobody's any more. */
const FORGET_AFTER = 60 * 60_000;
const HOUSE_EVERY = 10 * 60_000;
const VERIFY_EVERY = 60_000;
const EVALUATIONS = 8;
const NAMES = 2;

export interface Workers {
  /** Takes no more work, lets what runs go on for `grace` ms, then hands it back. */
  stop(grace: number): Promise<void>;
}

/** Runs every station in this process: each takes its jobs from its own queue. */
export function startWorkers(station: Station, redis: RedisAddress): Workers {
  const { log } = station;
  const running: Running = new Set();
  const ahead: Running = new Set();
  const announcer = new Announcer(station);
  const consumers: Consumer[] = [
    consume(
      redis,
      "evaluate",
      EVALUATIONS,
      patiently(station, "evaluate", (job: Jobs["evaluate"]) => evaluate(station, job)),
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
      patiently(station, "names", (job: Jobs["names"]) => reconcileNames(station, job)),
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
  const watch = new Watch(station);
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
    keeping = keepHouse(station).catch((error: unknown) =>
      log.warn("could not keep house; the next round comes", { error }),
    );
  };
  const verifyOnce = () => {
    queueVerification(station).catch((error: unknown) =>
      log.warn("names could not be verified; the next round comes", { error }),
    );
  };
  sweepOnce(0);
  watchOnce();
  const timers = [
    setInterval(() => sweepOnce(), SWEEP_EVERY),
    setInterval(watchOnce, WATCH_EVERY),
    setInterval(keepOnce, HOUSE_EVERY),
    setInterval(verifyOnce, VERIFY_EVERY),
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

/**
 * A host or registry that does not answer, or refuses, is asked again later, each time a little later. The sweep brings the
 * job at every round meanwhile: until the time has come it is let go.
 */
function patiently<Job extends object>(
  station: Station,
  name: "evaluate" | "names",
  work: (job: Job) => Promise<void>,
) {
  const failures = new Map<string, { count: number; until: number }>();
  return async (job: Job): Promise<void> => {
    const key = JSON.stringify(job);
    const earlier = failures.get(key);
    for (const [other, { until }] of failures) if (until + FORGET_AFTER < station.clock.now()) failures.delete(other);
    if (earlier !== undefined && station.clock.now() < earlier.until) return;
    try {
      await work(job);
      failures.delete(key);
    } catch (error) {
      if (!(error instanceof TransientError || error instanceof Refused || error instanceof UserError)) throw error;
      const count = (earlier?.count ?? 0) + 1;
      const wait = backOff(count, Math.random(), error instanceof TransientError ? error.retryAfter : null);
      failures.set(key, { count, until: station.clock.now() + wait });
      station.log.warn("no answer that helps; looking again later", { queue: name, ...job, wait, error });
      await station.queues.add(name, job as never, { delay: wait });
    }
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
