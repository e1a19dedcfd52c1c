import { requireDate } from "../../src/git/commit.ts";
import type { Delivery } from "../../src/ledger/deliveries.ts";
import { hintsOf } from "../../src/ledger/hints.ts";
import { getRepo } from "../../src/ledger/repos.ts";
import type { Run } from "../../src/run/run.ts";
import { describeCommit, verdictWithoutCi } from "../commit/inspect.ts";
import { MAX_REF_AGE_MS, type SyncParts, syncMirror } from "../commit/sync-mirror.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";
import { NoLongerGreen } from "./gate.ts";
import { workOfNaming } from "./resume.ts";

export type ReadParts = SyncParts & Pick<Station, "config" | "clock">;

/**
 * Reads what the delivery is about; the plan is read at the commit itself, each time.
 * @param delivery as it was read under the lease
 * @throws NoLongerGreen where the commit is not to be delivered any more
 */
export async function readWork(station: ReadParts, delivery: Delivery, fence: number, run: Run): Promise<Work> {
  const { ledger, clock } = station;
  const { id, repoId, sha, naming, attempts } = delivery;
  const known = await getRepo(ledger, repoId);
  if (known === null) throw new Error(`delivery ${id} is in no repo`);
  run.log.line(`— attempt ${attempts}, ${new Date(clock.now()).toISOString()}`);
  if (naming !== null) return workOfNaming(station, delivery, known, naming, fence);
  const { repo, mirror } = await syncMirror(station, known, run.signal, { age: MAX_REF_AGE_MS });
  const hints = await hintsOf(ledger, repo.id, sha);
  const found = await describeCommit(station, { repo, mirror, sha, hints });
  switch (found.kind) {
    case "gone":
      throw new NoLongerGreen("superseded", found.verdict.because, false);
    case "ignored":
      throw new NoLongerGreen("ignored", found.verdict.because, false);
    case "bad-plan":
      throw new NoLongerGreen("failed", found.error.message, true);
    case "planned": {
      const { action, because } = verdictWithoutCi(found.facts);
      if (action === "ignore") throw new NoLongerGreen("ignored", because, false);
      if (action === "superseded") throw new NoLongerGreen("superseded", because, false);
      const commit = requireDate(await mirror.commit(sha));
      const tags = await mirror.tagsOn(sha);
      return { delivery, repo, mirror, commit, plan: found.plan, refs: found.refs, tags, hints, fence };
    }
  }
}
