import { Refused, TransientError, UserError } from "../src/delivery/errors.ts";
import { mayStart, type RunningWork } from "../src/delivery/fair-share.ts";
import { backOff } from "../src/delivery/retry.ts";
import type { Host } from "../src/hosts/host.ts";
import { evaluationHistory, recordEvaluation, recordFailedEvaluation } from "../src/ledger/evaluations.ts";
import { markNameUpdateFailed, pendingNameUpdate } from "../src/ledger/name-updates.ts";
import type { Jobs } from "../src/queue/queues.ts";
import type { Station } from "./station.ts";

/** What sharing uses of the station. */
type Parts = Pick<Station, "queues" | "log"> & { hosts: ReadonlyMap<string, Pick<Host, "counted">> };
type Name = "evaluate" | "names";

/** A job that has run for this long (ms) may well hang. */
const SLOW = 5_000;

/**
 * How the ledger remembers the outcome of a job. The sweep brings the job again at every round; until it is due, it
 * ends at once.
 */
interface Memory<N extends Name> {
  past(job: Jobs[N]): Promise<{ failures: number; isEarly: boolean }>;
  failed(job: Jobs[N], message: string, retryIn: number): Promise<void>;
  done(job: Jobs[N], calls: number): Promise<void>;
}

/**
 * Shares the places of one queue. A job that keeps failing (a host or registry that is down, a repo that is gone, a
 * fault of ours) is tried ever more rarely, and such jobs never hold all places.
 */
export function fairly<N extends Name>(
  station: Parts,
  name: N,
  places: number,
  memory: Memory<N>,
  work: (job: Jobs[N]) => Promise<void>,
): (job: Jobs[N]) => Promise<void> {
  const running = new Set<Omit<RunningWork, "isSlow"> & { since: number }>();
  return async (job) => {
    const { failures, isEarly } = await memory.past(job);
    if (isEarly) return;
    const [host = ""] = job.repo.split(":", 1);
    const one = { repo: job.repo, host, hasFailed: failures > 0, since: performance.now() };
    const beside = [...running].map((each) => ({ ...each, isSlow: performance.now() - each.since > SLOW }));
    // It stays in the ledger, and the sweep brings it back.
    if (!mayStart(beside, one, places)) return;
    running.add(one);
    try {
      await memory.done(job, await counted(station, host, () => work(job)));
    } catch (error) {
      const retryAfter = error instanceof TransientError ? error.retryAfter : null;
      const wait = backOff(failures + 1, Math.random(), retryAfter);
      await memory.failed(job, error instanceof Error ? error.message : String(error), wait);
      const facts = { queue: name, ...job, wait, error };
      if (isKnown(error)) station.log.warn("no answer that helps; looking again later", facts);
      else station.log.error("a job failed; it is tried again later", facts);
      await station.queues.add(name, job, { delay: wait });
    } finally {
      running.delete(one);
    }
  };
}

function isKnown(error: unknown): boolean {
  return error instanceof TransientError || error instanceof Refused || error instanceof UserError;
}

/** @returns how many calls of the host's limit the work has used */
async function counted({ hosts }: Pick<Parts, "hosts">, host: string, work: () => Promise<void>): Promise<number> {
  const known = hosts.get(host);
  if (known !== undefined) return known.counted(work);
  await work();
  return 0;
}

export function evaluateMemory({ ledger }: Pick<Station, "ledger">): Memory<"evaluate"> {
  return {
    past: async (job) => (await evaluationHistory(ledger, job)) ?? NOTHING,
    failed: (job, _message, retryIn) => recordFailedEvaluation(ledger, job, retryIn),
    async done(job, calls) {
      if ((await evaluationHistory(ledger, job)) !== null) await recordEvaluation(ledger, job, calls);
    },
  };
}

export function namesMemory({ ledger, mask }: Pick<Station, "ledger" | "mask">): Memory<"names"> {
  return {
    async past(job) {
      return (await pendingNameUpdate(ledger, { repoId: job.repo, artifact: job.artifact })) ?? NOTHING;
    },
    failed: (job, message, retryIn) =>
      markNameUpdateFailed(ledger, { repoId: job.repo, artifact: job.artifact }, mask(message), retryIn),
    done: async () => {},
  };
}

const NOTHING = { failures: 0, isEarly: false };
