import { setImmediate } from "node:timers";
import { replaceNodeTime } from "../machine/node-time.ts";
import { Random } from "../machine/random.ts";
import { Scheduler } from "../machine/scheduler.ts";
import { Database } from "../world/ledger.ts";
import type { Stage } from "./simulate.ts";

/** Takes this JavaScript thread for simulations. `leave` gives Node its own time back. */
export async function openStage(): Promise<Stage & { leave(): void }> {
  const database = await Database.openSqlite();
  // Loaded when the first proof is signed, which would take turns of the real event loop in one run only.
  await import("../../../src/proof/sigstore.ts");
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  let current = { scheduler: new Scheduler(0, turn), random: new Random(0) };
  const leave = replaceNodeTime(() => current);
  return {
    ...{ database, turn, leave },
    use: (machine) => {
      current = machine;
    },
  };
}
