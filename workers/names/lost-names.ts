import type { Repo } from "../../src/delivery/types.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { appendLog } from "../../src/ledger/logs.ts";
import { type LostName, lostNames, replaceLostNames } from "../../src/ledger/lost-names.ts";
import type { NamedRelease } from "../../src/ledger/named-releases.ts";
import { locationsOfRelease } from "../../src/ledger/names.ts";
import { queueReports } from "../reports.ts";
import type { Station } from "../station.ts";

/** A moving name that a release asked for, and why it does not get it. */
export interface Loss extends Omit<LostName, "sha"> {
  release: NamedRelease;
}

/**
 * Says on the commits of an artifact which moving names they did not get: on the status, in `why` and in the delivery's log.
 * A commit that lacks none any more is told so too.
 */
export async function reportLosses(
  station: Station,
  repo: Repo,
  artifact: string,
  losses: Loss[],
  all: NamedRelease[],
) {
  const { ledger } = station;
  const lost = losses.map(({ release, ...loss }) => ({ ...loss, sha: release.sha }));
  const before = await lostNames(ledger, repo.id, artifact);
  const isNews = (loss: LostName) => !before.some((one) => keyOf(one) === keyOf(loss) && one.because === loss.because);
  const open = new Set(losses.map(({ release }) => release.sha));
  const mended = new Set(before.map(({ sha }) => sha).filter((sha) => !open.has(sha)));
  await ledger.transaction(async (tx) => {
    await replaceLostNames(tx, repo.id, artifact, lost);
    for (const [index, { release, because }] of losses.entries()) {
      const { sha, deliveryId } = release;
      // An attempt that ended since may have said otherwise, so it is said each time: the same again changes nothing.
      const isFirst = losses.findIndex((one) => one.release.sha === sha) === index;
      const subject = { repoId: repo.id, sha, deliveryId };
      if (isFirst) await queueReports(tx, station, subject, [artifact], "failed", because);
      if (!lost.slice(index, index + 1).some(isNews)) continue;
      await recordDecision(tx, repo.id, sha, { action: "name-lost", because });
      await appendLog(tx, deliveryId, `✗ ${artifact}: ${because}\n`);
    }
    for (const release of all.filter((each) => each.artifact === artifact && mended.has(each.sha))) {
      const { sha, deliveryId } = release;
      const where = [
        ...new Set((await locationsOfRelease(tx, { ...release, repoId: repo.id })).map((one) => one.registry)),
      ];
      const because = `${release.versions.join(", ")} released to ${where.join(", ")}`;
      await queueReports(tx, station, { repoId: repo.id, sha, deliveryId }, [artifact], "delivered", because);
    }
  });
  for (const loss of lost.filter(isNews)) station.log.warn("a release did not get a moving name", { ...loss });
}

function keyOf({ registry, repository, tag, sha }: LostName): string {
  return JSON.stringify([registry, repository, tag, sha]);
}
