import type { Repo } from "../../src/delivery/types.ts";
import { recordDecision } from "../../src/ledger/decisions.ts";
import { locationsOfRelease } from "../../src/ledger/locations.ts";
import { appendLog } from "../../src/ledger/logs.ts";
import { listMissingNames, type MissingName, replaceMissingNames } from "../../src/ledger/missing-names.ts";
import type { NamedRelease } from "../../src/ledger/named-releases.ts";
import { queueStatuses, type StatusParts, type Subject } from "../../src/ledger/statuses.ts";
import type { Station } from "../station.ts";

/** A moving name that a release asked for, and why it does not get it. */
export interface Loss extends Omit<MissingName, "sha"> {
  release: NamedRelease;
  /** The server's configuration makes it so: reported, and no failure. */
  isAgreed: boolean;
}

/**
 * Shows on the commits of an artifact which moving names they did not get: on the status, in `why` and in the
 * delivery's log. A commit that lacks no name any more gets its status back.
 */
export async function reportLosses(
  station: StatusParts & Pick<Station, "ledger" | "log" | "queues">,
  repo: Repo,
  artifact: string,
  losses: Loss[],
  all: NamedRelease[],
): Promise<void> {
  const { ledger } = station;
  const before = await listMissingNames(ledger, repo.id, artifact);
  if (before.length === 0 && losses.length === 0) return;
  const known = new Set(before.map((one) => keyOf(one)));
  const news = losses.filter((loss) => !known.has(keyOf(lostBy(loss))));
  const failures = losses.filter(({ isAgreed }) => !isAgreed);
  const lacking = new Map(failures.toReversed().map((loss) => [loss.release.sha, loss]));
  const mended = new Set(before.map(({ sha }) => sha).filter((sha) => !lacking.has(sha)));
  await ledger.transaction(async (tx) => {
    await replaceMissingNames(tx, repo.id, artifact, losses.map(lostBy));
    // An attempt may have replaced the status since, so it is written each time: the same again changes nothing.
    for (const { release, because } of lacking.values())
      await queueStatuses(tx, station, subjectOf(repo, release), [artifact], "failed", because);
    for (const { release, because } of news) {
      await recordDecision(tx, repo.id, release.sha, { action: "name-lost", because });
      await appendLog(tx, release.deliveryId, `✗ ${artifact}: ${because}\n`);
    }
    for (const release of all.filter((each) => each.artifact === artifact && mended.has(each.sha))) {
      const locations = await locationsOfRelease(tx, { ...release, repoId: repo.id });
      const where = [...new Set(locations.map(({ registry }) => registry))].join(", ");
      const because = `${release.versions.join(", ")} released to ${where}`;
      await queueStatuses(tx, station, subjectOf(repo, release), [artifact], "delivered", because);
    }
  });
  for (const loss of news) station.log.warn("a release did not get a moving name", { ...lostBy(loss) });
  await station.queues.add("announce", {});
}

function lostBy({ release, isAgreed: _isAgreed, ...loss }: Loss): MissingName {
  return { ...loss, sha: release.sha };
}

function subjectOf(repo: Repo, { sha, deliveryId }: NamedRelease): Subject {
  return { repoId: repo.id, sha, deliveryId };
}

function keyOf({ registry, repository, tag, sha, because }: MissingName): string {
  return JSON.stringify([registry, repository, tag, sha, because]);
}
