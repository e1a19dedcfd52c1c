import { parentPort } from "node:worker_threads";
import type { Order, Report } from "./run/messages.ts";
import { simulate } from "./run/simulate.ts";
import { openStage } from "./run/stage.ts";

/* The entry of a thread of simulations: node time is replaced in here, and nowhere else. */

const port = parentPort;
if (port === null) throw new Error("this file runs in a thread of its own");
const stage = await openStage();

port.on("message", ({ scenarios, planted }: Order) => void runAll(scenarios, planted));
port.postMessage("ready");

async function runAll(scenarios: Order["scenarios"], planted: string | null): Promise<void> {
  // As test/simulation/mistakes/plant.ts reads it.
  Object.assign(globalThis, { plantedMistake: planted });
  const reports: Report[] = [];
  for (const scenario of scenarios) {
    const { trace, events: _events, ...outcome } = await simulate(scenario, stage);
    reports.push({ ...outcome, trace: outcome.problems.length > 0 ? trace.lines : [] });
    if (outcome.problems.length > 0) break;
  }
  port?.postMessage(reports);
}
