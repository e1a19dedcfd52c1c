import { type NamedWork, nameFacts } from "../../../workers/commit/immutable-names.ts";
import type { PlanReading } from "../../../workers/commit/read-plan.ts";
import { versionsFromGit } from "../../../workers/commit/versions.ts";
import { watches } from "../../delivery/bounds.ts";
import { ecosystemVersion } from "../../delivery/ecosystem-version.ts";
import { immutableNames, movingNames, type NameFacts } from "../../delivery/names.ts";
import { shortRef } from "../../delivery/refs.ts";
import type { ArtifactKind, ArtifactName, ArtifactPlan, Destination, Plan, Repo, Sha } from "../../delivery/types.ts";
import { versionNames } from "../../delivery/version-names.ts";
import { requireDate } from "../../git/commit.ts";
import type { Mirror } from "../../git/mirror.ts";
import { atPath, type Finding, messageOf } from "./finding.ts";

/** A name that an artifact would get. `repository` is null where only the package itself says it. */
export type PlannedName = Omit<ArtifactName, "repository"> & { repository: string | null };

/** What one commit would give by a plan. */
export interface Preview {
  sha: Sha;
  versions: string[];
  /** Watched full refs that hold the commit. */
  refs: string[];
  /** Why no ref is watched, a line for each ref. */
  unwatched: string[];
  artifacts: { name: string; kind: ArtifactKind; names: PlannedName[] }[];
}

/** The versions and names that the daemon would give this commit, if nothing was released from it before. */
export async function previewOf(
  mirror: Mirror,
  repo: Repo,
  sha: Sha,
  plan: Plan,
  reading: PlanReading,
): Promise<{ preview: Preview; findings: Finding[] }> {
  const versions = await versionsFromGit(mirror, sha);
  const held = (await mirror.refsContaining(sha)).map((ref) => ({
    ref,
    ...watches(plan.on, reading.rules.bounds, ref),
  }));
  const refs = held.filter(({ watched }) => watched).map(({ ref }) => ref);
  const commit = requireDate(await mirror.commit(sha));
  const work: NamedWork = { repo, commit, refs, tags: await mirror.tagsOn(sha) };
  const findings: Finding[] = [];
  const artifacts = [];
  for (const [index, artifact] of plan.artifacts.entries()) {
    const facts = nameFacts(work, { versions, isFirst: true, artifact });
    const names: PlannedName[] = [];
    for (const [place, to] of artifact.publish.entries()) {
      const text = await messageOf(() => names.push(...namesAt(artifact, to, facts, reading).map(plain)));
      if (text !== null) findings.push(atPath(reading, ["artifacts", index, "publish", place], text));
    }
    artifacts.push({ name: artifact.name, kind: artifact.kind, names });
  }
  const unwatched = refs.length > 0 ? [] : held.map(({ ref, because }) => `${shortRef(ref)}: ${because}`);
  return { preview: { sha, versions, refs, unwatched, artifacts }, findings };
}

function plain({ registry, repository, tag, immutable }: PlannedName): PlannedName {
  return { registry, repository, tag, immutable };
}

/** @throws UserError for a version or a name that cannot be */
function namesAt({ kind }: ArtifactPlan, to: Destination, facts: NameFacts, { rules }: PlanReading): PlannedName[] {
  if (kind === "image") return [...immutableNames(to, facts), ...movingNames(to, facts)];
  const registry = rules.registries[to.to];
  const shelving = registry?.names.get(kind)?.shelving ?? "path";
  // Of a registry that is not known, nothing says whether names are paths there.
  const isOpen = registry?.type === "unknown" && kind !== "file" && kind !== "ami";
  if (to.as !== null && isOpen) return versionNames(kind, "package", to, facts, null);
  if (kind === "ami" || (shelving === "path" && !isOpen) || to.as !== null)
    return versionNames(kind, shelving, to, facts, null);
  return facts.versions.map((version) => ({
    ...{ registry: to.to, repository: null, immutable: true },
    tag: ecosystemVersion(kind, version),
  }));
}
