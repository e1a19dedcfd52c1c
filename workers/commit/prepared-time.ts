import { attemptsOf } from "../../src/ledger/leases.ts";
import type { Run } from "../../src/run/run.ts";
import type { Station } from "../station.ts";

type Parts = Pick<Station, "ledger" | "preparedSeconds">;

/** Says in the delivery's log how much of it was done while its CI ran, and counts it as saved. */
export async function reportSaved(station: Parts, deliveryId: string, run: Pick<Run, "log">): Promise<void> {
  const seconds = await preparedSeconds(station, deliveryId);
  if (seconds === 0) return;
  const shown = `${seconds.toFixed(1)} s of this delivery were done before CI was green`;
  run.log.line(`Prepared ahead, while CI ran: ${shown}`);
  station.preparedSeconds.add({ outcome: "saved" }, seconds);
}

/** The commit will not be delivered: counts what was prepared for it as wasted. */
export async function reportWasted(station: Parts & Pick<Station, "log">, deliveryId: string): Promise<void> {
  const seconds = await preparedSeconds(station, deliveryId);
  if (seconds === 0) return;
  station.log.info("prepared ahead in vain", { delivery: deliveryId, seconds });
  station.preparedSeconds.add({ outcome: "wasted" }, seconds);
}

/** 0 where it was counted before: a delivered commit comes back for every name that it gains. */
async function preparedSeconds({ ledger }: Pick<Station, "ledger">, deliveryId: string): Promise<number> {
  const attempts = await attemptsOf(ledger, deliveryId);
  if (attempts.some(({ outcome }) => outcome === "done")) return 0;
  const prepared = attempts.filter(({ outcome }) => outcome === "prepared");
  return prepared.reduce((sum, { startedAt, endedAt }) => sum + (endedAt ?? startedAt) - startedAt, 0) / 1000;
}
