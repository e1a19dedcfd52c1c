import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { appendLog, logBytes } from "../../src/ledger/logs.ts";
import type { Log } from "../../src/observe/log.ts";
import type { Run } from "../../src/run/run.ts";
import type { Station } from "../station.ts";
import type { Lease } from "./lease.ts";
import { createRunLog } from "./run-log.ts";
import { StageTimes } from "./stage-times.ts";

/** The attempts of this process with their leases, so that a shutdown can end them. */
export type Running = Set<{ delivery: string; lease: Lease }>;

/** What the work on a delivery is handed. */
export interface Tools {
  run: Run;
  log: Log;
  /** Writes what the delivery's log still holds back: who follows the log stops at the delivery's end. */
  flush(): Promise<void>;
  stages: StageTimes;
}

/** Hands the work its log and a folder of its own. Whatever fails, the lease is not renewed afterwards. */
export async function underLease(
  station: Pick<Station, "log" | "ledger" | "mask" | "tmp" | "clock" | "stageSeconds">,
  id: string,
  lease: Lease,
  running: Running,
  work: (tools: Tools) => Promise<void>,
): Promise<void> {
  const attempt = { delivery: id, lease };
  running.add(attempt);
  try {
    await withLogAndFolder(station, id, lease, work);
  } finally {
    lease.stop();
    running.delete(attempt);
  }
}

async function withLogAndFolder(
  station: Pick<Station, "log" | "ledger" | "mask" | "tmp" | "clock" | "stageSeconds">,
  id: string,
  lease: Lease,
  work: (tools: Tools) => Promise<void>,
): Promise<void> {
  const log = station.log.with({ delivery: id, attempt: lease.attempt });
  const runLog = createRunLog({
    append: async (text) => void (await appendLog(station.ledger, id, text)),
    mask: station.mask,
    written: await logBytes(station.ledger, id),
    onLost: (error) => log.warn("a piece of the delivery's log could not be kept", { error }),
  });
  await mkdir(station.tmp, { recursive: true });
  const tmp = await mkdtemp(join(station.tmp, `${id}-`));
  const stages = new StageTimes(station.stageSeconds);
  try {
    const run: Run = { log: runLog, signal: lease.signal, tmp, clock: station.clock };
    await work({ run, log, flush: () => runLog.flush(), stages });
  } finally {
    stages.leave();
    lease.stop();
    await runLog.flush();
    await rm(tmp, { recursive: true, force: true });
  }
}
