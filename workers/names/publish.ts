import { throwPreferringTransient } from "../../src/delivery/errors.ts";
import type { ArtifactName, Destination } from "../../src/delivery/types.ts";
import { setArtifactState } from "../../src/ledger/artifacts.ts";
import { locationsOfDelivery } from "../../src/ledger/locations.ts";
import { failpoint } from "../../src/observe/failpoints.ts";
import { span } from "../../src/observe/span.ts";
import type { Run } from "../../src/run/run.ts";
import { isSame, namesFor } from "../commit/immutable-names.ts";
import { namesOfOlderCommit } from "../commit/missing-names.ts";
import { ownerOfRepository } from "../commit/names-in-ledger.ts";
import type { Work } from "../commit/work.ts";
import type { Prepared } from "./prepared.ts";
import { isShared, ownedByAnother } from "./registry-of.ts";
import { stamped } from "./stamped.ts";
import { repositoriesOf, sendInto, type UploadParts } from "./upload.ts";
import { type WriteParts, writeName } from "./write-name.ts";

/** What publishing uses of the station. */
export type PublishParts = WriteParts & UploadParts;

/**
 * Publishes to all destinations side by side: one that fails holds up no other.
 * @param before runs before each name is written, once it is reserved
 * @returns the names that stay with an older commit of the artifact, as after a git tag was moved by force
 */
export async function publishEverywhere(
  station: PublishParts,
  work: Work,
  each: Prepared,
  before: () => Promise<void>,
  run: Run,
): Promise<ArtifactName[]> {
  await setArtifactState(station.ledger, work.delivery.id, each.artifact.name, "publishing", "", work.fence);
  // A moving name that holds the content now does not count: it may move.
  const standing = (await locationsOfDelivery(station.ledger, work.delivery.id)).filter(
    (location) => location.immutable,
  );
  const ended = await Promise.allSettled(
    each.artifact.publish.map((to) =>
      span("publish", { artifact: each.artifact.name, registry: to.to }, () =>
        publishTo(station, work, each, to, standing, before, run),
      ),
    ),
  );
  throwPreferringTransient(ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : [])));
  return ended.flatMap((end) => (end.status === "fulfilled" ? end.value : []));
}

/** Uploads the content, then writes its immutable names one by one. @returns those that stay with an older commit */
async function publishTo(
  station: PublishParts,
  work: Work,
  each: Prepared,
  to: Destination,
  standing: ArtifactName[],
  before: () => Promise<void>,
  run: Run,
): Promise<ArtifactName[]> {
  const { delivery, repo } = work;
  const content = stamped(station, work, each);
  for (const repository of repositoriesOf(station, work, each, to)) {
    const owner = await ownerOfRepository(station, to.to, repository, content.kind);
    if (owner !== null && owner !== repo.id && !isShared(station, to.to, repository))
      throw ownedByAnother(to.to, repository);
    await sendInto(station, to, repository, content, run);
    failpoint("release.uploaded");
  }
  const of = { repoId: repo.id, deliveryId: delivery.id, artifact: each.artifact.name };
  const names = namesFor(station, work, each, each.content, to);
  const ofOlder = await namesOfOlderCommit(station, names, of, each.artifact.kind);
  for (const { registry, repository, tag } of ofOlder)
    run.log.line(`✗ ${repository}:${tag} in ${registry} stays with an older commit: it is never moved`);
  for (const name of names) {
    run.signal.throwIfAborted();
    if ([...standing, ...ofOlder].some((one) => isSame(one, name))) continue;
    await writeName(station, { name, content, of, before }, run);
  }
  return ofOlder;
}
