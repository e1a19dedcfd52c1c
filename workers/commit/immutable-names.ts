import type { Frozen } from "../../src/delivery/frozen.ts";
import { immutableNames, type NameFacts } from "../../src/delivery/names.ts";
import type { Share } from "../../src/delivery/naming.ts";
import { branchNames } from "../../src/delivery/refs.ts";
import type { ArtifactName, ArtifactPlan, Destination, Repo, Sha } from "../../src/delivery/types.ts";
import { versionTag } from "../../src/delivery/version.ts";
import { versionNames } from "../../src/delivery/version-names.ts";
import { shelvingOf } from "../../src/registries/index.ts";
import type { Station } from "../station.ts";

/** What the names of a commit are made of. */
export interface NamedWork {
  repo: Pick<Repo, "owner" | "name">;
  commit: { sha: Sha; committedAt: Date };
  /** Watched full refs that hold the commit. */
  refs: string[];
  /** Short names of the git tags on exactly this commit. */
  tags: string[];
}

/** The facts that the names of an artifact of this commit are made of. */
export function nameFacts(
  work: NamedWork,
  each: Pick<Share, "versions" | "isFirst"> & { artifact: { name: string } },
): NameFacts {
  const isIts = (tag: string): boolean => {
    const version = versionTag(tag);
    return version === null ? each.isFirst : each.versions.includes(version);
  };
  return {
    sha: work.commit.sha,
    committedAt: work.commit.committedAt,
    owner: work.repo.owner,
    repo: work.repo.name,
    artifact: each.artifact.name,
    versions: each.versions,
    tags: work.tags.filter(isIts),
    branches: branchNames(work.refs),
  };
}

/**
 * The immutable names of one content at one destination. Names without a version stay on the commit's first content.
 */
export function namesFor(
  { config }: Pick<Station, "config">,
  work: NamedWork,
  each: Share & { artifact: Pick<ArtifactPlan, "name" | "kind"> },
  content: Pick<Frozen, "package">,
  to: Destination,
): ArtifactName[] {
  const { kind } = each.artifact;
  if (kind !== "image") {
    const registry = config.registries[to.to];
    // Of a registry that is no longer configured nothing is known but the names that it was given.
    const shelving = registry === undefined ? "path" : shelvingOf(registry, kind);
    return versionNames(kind, shelving, to, nameFacts(work, each), content.package ?? null);
  }
  const own = immutableNames(to, nameFacts(work, each));
  if (each.isFirst) return own;
  const others = immutableNames(to, nameFacts(work, { ...each, versions: [each.first], isFirst: true }));
  return own.filter((name) => !others.some((other) => isSame(other, name)));
}

export function isSame(a: Pick<ArtifactName, "registry" | "repository" | "tag">, b: ArtifactName): boolean {
  return a.registry === b.registry && a.repository === b.repository && a.tag === b.tag;
}
