import { statfs } from "node:fs/promises";
import { buildWeight, limitsOf } from "../../workers/build-slots.ts";
import { cached } from "../async/cached.ts";
import type { ServerConfig } from "../config/server.ts";
import type { Host } from "../hosts/host.ts";
import { countDeliveriesByState, type Delivery, FINISHED_STATES, OPEN_STATES } from "../ledger/deliveries.ts";
import { dueDeliveries } from "../ledger/leases.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { countUnsentByKind } from "../ledger/outbox.ts";
import type { Metrics } from "../observe/metrics.ts";
import { addProcessMetrics } from "../observe/process-metrics.ts";
import { VERSION } from "../run/version.ts";

/** Anybody may ask for the metrics: however often they do, the ledger is asked at most once in this time. */
const LEDGER_TTL_MS = 5_000;
/** Finished deliveries may be a million, and counting them reads an index of all. Their counters are exact. */
const FINISHED_TTL_MS = 5 * 60_000;
/** Deliveries that are weighed. More of them need no finer answer: every worker has work for hours. */
const MAX_WEIGHED = 1_000;

/** What every process tells of itself, whatever its roles are. */
export function addCommonMetrics(
  metrics: Metrics,
  { config, hosts }: { config: Pick<ServerConfig, "dataDir">; hosts: ReadonlyMap<string, Host> },
): void {
  addProcessMetrics(metrics);
  metrics.gauge("deliverd_build_info", "Always 1. The label has the version.", () => [[{ version: VERSION }, 1]]);
  metrics.gauge("deliverd_disk_free_bytes", "Free bytes on the disk of dataDir.", async () => {
    const { bavail, bsize } = await statfs(config.dataDir);
    return bavail * bsize;
  });
  metrics.gauge("deliverd_host_budget_remaining", "API calls that the host still allows, by its last answer.", () =>
    [...hosts].flatMap(([host, { budget }]) => {
      const known = budget();
      return known === null ? [] : [[{ host }, known.remaining] as const];
    }),
  );
}

/**
 * What the ledger tells of all processes together. Only a process that serves HTTP exports it: each worker would
 * export the same numbers again.
 */
export function addLedgerMetrics(metrics: Metrics, { config, ledger }: { config: ServerConfig; ledger: Ledger }): void {
  const open = cached(LEDGER_TTL_MS, () => countDeliveriesByState(ledger, OPEN_STATES));
  const finished = cached(FINISHED_TTL_MS, () => countDeliveriesByState(ledger, FINISHED_STATES));
  metrics.gauge("deliverd_deliveries", "Deliveries by state. Finished ones are counted every 5 minutes.", async () =>
    byLabel("state", { ...(await open()), ...(await finished()) }),
  );
  const pending = cached(LEDGER_TTL_MS, () => countUnsentByKind(ledger));
  metrics.gauge(
    "deliverd_outbox_pending",
    "Statuses, notices, moving names and proofs that are not sent yet.",
    async () => byLabel("kind", await pending()),
  );
  const weight = cached(LEDGER_TTL_MS, async () => weigh(config, await dueDeliveries(ledger, MAX_WEIGHED)));
  metrics.gauge("deliverd_due_weight", "Slots that the deliveries which are due, and that no worker has, need.", () =>
    weight(),
  );
}

/** A delivery counts for at least one slot: whatever is left of it, a worker has to take it. */
function weigh(config: ServerConfig, due: readonly Pick<Delivery, "plan" | "naming">[]): number {
  return due.reduce((sum, { plan, naming }) => {
    const builds = naming === null ? (plan?.artifacts ?? []) : [];
    const weights = builds.map((artifact) => buildWeight(limitsOf({ config }, artifact).cpus));
    return (
      sum +
      Math.max(
        1,
        weights.reduce((all, one) => all + one, 0),
      )
    );
  }, 0);
}

function byLabel(label: string, counts: Record<string, number>): [Record<string, string>, number][] {
  return Object.entries(counts).map(([value, count]) => [{ [label]: value }, count]);
}
