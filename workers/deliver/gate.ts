import { anySignal } from "../../src/async/any-signal.ts";
import type { Evidence } from "../../src/delivery/proof/evidence.ts";
import type { Action } from "../../src/delivery/types.ts";
import { span } from "../../src/observe/span.ts";
import type { Run } from "../../src/run/run.ts";
import { inspect } from "../commit/inspect.ts";
import { syncAndPrefetchCi } from "../commit/prefetch-ci.ts";
import { recentEvidence } from "../commit/recent-green.ts";
import type { Work } from "../commit/work.ts";
import type { Prepared, Unchanged } from "../names/prepared.ts";
import { type UploadParts, uploadAhead } from "../names/upload.ts";
import type { Station } from "../station.ts";

/** Thrown when the gate closed, or the commit went away, while the delivery was prepared. */
export class NoLongerGreen extends Error {
  /** `failed`: its pipeline cannot be followed any more. */
  readonly state: "waiting" | "superseded" | "ignored" | "failed";
  readonly bad: boolean;
  constructor(state: NoLongerGreen["state"], because: string, bad: boolean) {
    super(because);
    this.state = state;
    this.bad = bad;
  }
}

/** What reading the gate uses of the station. */
export type GateParts = UploadParts &
  Pick<Station, "identities" | "hosts" | "mirrors" | "clock" | "recentGreen" | "ledger" | "config">;

/**
 * Reads the gate once more, and uploads content at the same time, for no longer than the gate may still prove green.
 * @returns what its decision to deliver rests on
 * @throws NoLongerGreen, TransientError where the host does not answer
 */
export async function passGate(
  station: GateParts,
  work: Work,
  prepared: (Prepared | Unchanged)[],
  run: Run,
): Promise<Evidence> {
  const isNew = prepared.some((each) => each.kind === "prepared" && each.isNew);
  const stop = new AbortController();
  const upload = uploadAhead(station, work, prepared, { ...run, signal: anySignal(run.signal, stop.signal) });
  try {
    return await span("gate", {}, () => requireGreen(station, work, isNew, run));
  } catch (error) {
    stop.abort(error);
    throw error;
  } finally {
    await upload;
  }
}

async function requireGreen(station: GateParts, work: Work, isNew: boolean, run: Run): Promise<Evidence> {
  const { delivery, commit, plan, refs, hints } = work;
  const recent = isNew ? null : await recentEvidence(station, delivery, work.fence);
  if (recent !== null) return recent;
  const synced = await syncAndPrefetchCi(station, work.repo, commit.sha, { plan, refs }, run.signal);
  const subject = { repo: synced.repo, mirror: synced.mirror, sha: commit.sha, hints };
  // A delivery under way does not wait for its gate, so the gate cannot time out.
  const found = await inspect(station, subject, null, synced.prefetched);
  if (found.kind === "host-error") throw found.error;
  if (found.kind === "planned" && found.evidence !== null) return found.evidence;
  const { action, because, bad } = found.verdict;
  if (action === "deliver") throw new Error("a decision to deliver without its evidence");
  throw new NoLongerGreen(STATE_AFTER[action], because, bad !== undefined);
}

const STATE_AFTER = { superseded: "superseded", ignore: "ignored", wait: "waiting" } as const satisfies Record<
  Exclude<Action, "deliver">,
  NoLongerGreen["state"]
>;
