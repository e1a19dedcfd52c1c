import type { Destination } from "../../src/delivery/types.ts";
import { failpoint } from "../../src/failpoints.ts";
import { setArtifactState } from "../../src/ledger/artifacts.ts";
import { ownerOf } from "../../src/ledger/name-writes.ts";
import { locationsOf } from "../../src/ledger/names.ts";
import type { Run } from "../../src/run.ts";
import { stamped } from "../build.ts";
import { demandLease } from "../lease.ts";
import type { Prepared, Work } from "../prepare.ts";
import { throwWorst } from "../side-by-side.ts";
import type { Station } from "../station.ts";
import { isSame, namesFor } from "./immutable-names.ts";
import { isShared, ownedByAnother } from "./registry-of.ts";
import { repositoriesOf, sendInto } from "./upload.ts";
import { writeName } from "./write-name.ts";

/** Destinations side by side: one that fails keeps no other from standing. */
export async function publishEverywhere(station: Station, work: Work, each: Prepared, run: Run): Promise<void> {
  await setArtifactState(station.ledger, work.delivery.id, each.artifact.name, "publishing", "", work.fence);
  const ended = await Promise.allSettled(each.artifact.publish.map((to) => publishTo(station, work, each, to, run)));
  throwWorst(ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : [])));
}

/** Content, then its immutable names, each noted on its own. */
async function publishTo(station: Station, work: Work, each: Prepared, to: Destination, run: Run): Promise<void> {
  const { delivery, repo, fence } = work;
  const content = stamped(station, work, each);
  // What stands under a moving name does not stay.
  const standing = (await locationsOf(station.ledger, delivery.id)).filter((each) => each.immutable);
  for (const repository of repositoriesOf(station, work, each, to)) {
    const owner = await ownerOf(station.ledger, to.to, repository);
    if (owner !== null && owner !== repo.id && !isShared(station, to.to, repository))
      throw ownedByAnother(to.to, repository);
    await sendInto(station, to, repository, content, run);
    failpoint("release.uploaded");
  }
  const of = { repoId: repo.id, deliveryId: delivery.id, artifact: each.artifact.name };
  for (const name of namesFor(station, work, each, each.content, to)) {
    run.signal.throwIfAborted();
    if (standing.some((one) => isSame(one, name))) continue;
    const before = () => demandLease(station.ledger, delivery.id, fence);
    await writeName(station, { name, content, of, before }, run);
  }
}
