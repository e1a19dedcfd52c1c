import { getDelivery } from "../../src/ledger/deliveries.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { ShuttingDown } from "./lease.ts";
import type { Running } from "./under-lease.ts";

/** The attempts that run in this process. */
export interface RunningAttempts {
  delivering: Running;
  /** Begun while CI still ran. */
  preparing: Running;
}

/**
 * Lets what runs go on for `grace` ms, then hands it back. An attempt that was begun ahead is handed back at once, unless
 * the CI of its commit is green by now: then it is the delivery's own work, and another worker would only repeat it.
 * @param ended resolves when no attempt runs any more
 */
export async function endRunning(
  { ledger }: { ledger: Ledger },
  { delivering, preparing }: RunningAttempts,
  { grace, ended }: { grace: number; ended: Promise<unknown> },
): Promise<void> {
  const handBack = (attempts: Running | Running[]) => {
    for (const { lease } of [attempts].flat().flatMap((each) => [...each])) lease.abort(new ShuttingDown(REASON));
  };
  const deadline = setTimeout(() => handBack([delivering, preparing]), grace);
  const aheadOfCi = await notGreen(ledger, preparing).catch(() => preparing);
  handBack(aheadOfCi);
  await ended;
  clearTimeout(deadline);
}

const REASON = "the worker is stopping";

/** Those whose delivery still waits for its gate. */
async function notGreen(ledger: Ledger, preparing: Running): Promise<Running> {
  const waiting: Running = new Set();
  for (const attempt of [...preparing]) {
    if ((await getDelivery(ledger, attempt.delivery))?.state !== "queued") waiting.add(attempt);
  }
  return waiting;
}
