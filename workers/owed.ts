import { dockerfileDeclares } from "../src/delivery/metadata.ts";
import type { Plan, Repo } from "../src/delivery/types.ts";
import type { Mirror } from "../src/git/mirror.ts";
import type { Delivery } from "../src/ledger/deliveries.ts";
import type { Ledger } from "../src/ledger/ledger.ts";
import { locationsOf } from "../src/ledger/names.ts";
import { listReleases } from "../src/ledger/releases.ts";
import { isSame, namesFor } from "./naming.ts";
import { DOCKERFILE_MAX_BYTES } from "./prepare.ts";
import { versionsOfCommit } from "./versions.ts";

/**
 * Does a delivered commit lack a version or an immutable name that it should have by now, as after a version tag was put
 * on it? Moving names are not looked at: they are reconciled by themselves.
 */
export async function owesNames(
  ledger: Ledger,
  repo: Repo,
  mirror: Mirror,
  delivery: Delivery,
  plan: Plan,
  refs: string[],
): Promise<boolean> {
  const { sha } = delivery;
  const versions = await versionsOfCommit(mirror, sha, delivery.version);
  const first = versions[0] ?? "";
  const { items: releases } = await listReleases(ledger, { repoId: repo.id, sha, limit: 200 });
  const standing = await locationsOf(ledger, delivery.id);
  const named = { repo, refs, tags: await mirror.tagsOn(sha), commit: await mirror.commit(sha) };
  for (const artifact of plan.artifacts) {
    const released = releases.filter((release) => release.artifact === artifact.name);
    // An artifact that nothing concerned was not released, and its names are none of this commit's.
    if (released.length === 0) continue;
    if (versions.some((version) => !released.some((release) => release.versions.includes(version)))) return true;
    const dockerfile = (await mirror.readFile(sha, artifact.dockerfile, DOCKERFILE_MAX_BYTES)) ?? "";
    const shares = dockerfileDeclares(dockerfile, "DELIVERD_VERSION")
      ? versions.map((version) => ({ versions: [version], variant: version, first, isFirst: version === first }))
      : [{ versions, variant: "", first, isFirst: true }];
    for (const share of shares) {
      for (const to of artifact.publish) {
        const names = namesFor(named, { ...share, artifact }, to);
        if (names.some((name) => !standing.some((one) => isSame(one, name)))) return true;
      }
    }
  }
  return false;
}
