import { Refused, TransientError } from "../../src/delivery/errors.ts";
import type { Sha } from "../../src/delivery/types.ts";
import { tagsWithoutVersion, versionsOf } from "../../src/delivery/version.ts";
import { artifactsOf, unpinDigest } from "../../src/ledger/artifacts.ts";
import { saveVersion } from "../../src/ledger/deliveries.ts";
import { claimVersion } from "../../src/ledger/versions.ts";
import type { Run } from "../../src/run/run.ts";
import { versionsOfCommit } from "../commit/versions.ts";
import type { Work } from "../commit/work.ts";
import type { Station } from "../station.ts";

type Parts = Pick<Station, "ledger">;

/**
 * The versions of the commit; the first is the version that it was first prepared under, and is saved in the delivery.
 * @param claims whether the versions become the commit's own, as they do once its gate is green
 * @throws Refused `version-taken`, TransientError `version-busy`
 */
export async function settleVersions(station: Parts, work: Work, claims: boolean): Promise<string[]> {
  const { delivery, mirror } = work;
  const versions = claims ? await claimVersions(station, work) : await versionsOfCommit(station, mirror, delivery);
  await saveFirst(station, work, versions[0] ?? "");
  return versions;
}

/** Says in the log which versions the commit has, and which watched tags gave it none. */
export function reportVersions(
  { repo, commit, tags, plan }: Work,
  versions: string[],
  { log }: Pick<Run, "log">,
): void {
  log.line(`Version ${versions.join(", ")} of ${repo.owner}/${repo.name} at ${commit.sha}`);
  for (const tag of tagsWithoutVersion(tags, plan.on.tags))
    log.line(`The tag ${tag} is no version, as v1.2.3 or 1.2.3 would be, so it gives this commit none.`);
}

/**
 * Claims every version of the commit. A version that belongs to another commit is left out where a git tag gives this
 * commit a version of its own.
 */
async function claimVersions(station: Parts, { repo, mirror, delivery }: Work): Promise<string[]> {
  const tagged = versionsOf(await mirror.tagsOn(delivery.sha));
  const own: string[] = [];
  let lost: { version: string; belongsTo: Sha } | null = null;
  for (const version of await versionsOfCommit(station, mirror, delivery)) {
    const claim = await claimVersion(station.ledger, repo.id, version, delivery.sha);
    switch (claim.kind) {
      case "claimed":
        own.push(version);
        break;
      case "busy":
        throw versionBusy(version, claim.belongsTo);
      case "taken":
        lost ??= { version, belongsTo: claim.belongsTo };
    }
  }
  if (lost !== null && !own.some((version) => tagged.includes(version))) {
    throw new Refused(
      "version-taken",
      `${lost.version} belongs to ${lost.belongsTo}, and a second commit never gets the same version. ` +
        "Tag this one with a new version.",
    );
  }
  return own;
}

function versionBusy(version: string, sha: Sha): TransientError {
  return new TransientError(
    "version-busy",
    `${version} is still being delivered from ${sha}: its git tag was moved from that commit`,
  );
}

/** Bytes that were made under a version which the commit has lost since are made again: they may say that version. */
async function saveFirst({ ledger }: Parts, { delivery, fence }: Work, version: string): Promise<void> {
  if (delivery.version === version) return;
  if (delivery.version !== null)
    for (const { name } of await artifactsOf(ledger, delivery.id)) await unpinDigest(ledger, delivery.id, name, fence);
  await saveVersion(ledger, delivery.id, version, delivery.version);
}
