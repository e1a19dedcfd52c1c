import { UserError } from "./errors.ts";
import { type NameFacts, renderings } from "./names.ts";
import { quoted } from "./printable.ts";
import type { ArtifactKind, ArtifactName, ArtifactPlan, Destination, Repo } from "./types.ts";
import { type Shelving, versionNames } from "./version-names.ts";

/** Values that no real repo has: two names that are equal for these are equal for every commit. */
export const SAMPLE = {
  sha: "5a3b1e0f".repeat(5),
  committedAt: new Date(Date.UTC(1970, 0, 1)),
  versions: ["90210.31415.27182"],
  tags: ["a-git-tag-that-nobody-has"],
  branches: ["a-branch-that-nobody-has"],
};

/** The names of one kind of artifact in a registry. */
export interface NameSpace {
  shelving: Shelving;
  /** Where the names stand. Two registries with one place hold the same names. */
  place: string;
}

type NameSpaceOf = (registry: string, kind: ArtifactKind) => NameSpace;

/**
 * Requires that no two artifacts publish under the same name for every commit. Names that are equal only for some
 * commits, such as a branch `edge` and a tag `edge`, are found when they are written.
 * @throws UserError `name-shared`
 */
export function requireDistinctNames(
  artifacts: ArtifactPlan[],
  repo: Pick<Repo, "owner" | "name">,
  nameSpaceOf: NameSpaceOf,
): void {
  const [first] = findSharedNames(artifacts, repo, nameSpaceOf);
  if (first !== undefined) throw first.error;
}

/** A destination without the tag templates that are wrong: null in their places. */
export type SoundDestination = Omit<Destination, "tags"> & { tags: readonly (string | null)[] };

/** An artifact, as far as its names depend on it. Null: a destination whose names are not looked at. */
type Named = Pick<ArtifactPlan, "name" | "kind"> & { publish: readonly (SoundDestination | null)[] };

/**
 * Each destination with a name that an artifact above has too, once. `at` is the place of the name in the pipeline file.
 */
export function findSharedNames(
  artifacts: readonly (Named | null)[],
  repo: Pick<Repo, "owner" | "name">,
  nameSpaceOf: NameSpaceOf,
): { at: (string | number)[]; error: UserError }[] {
  const owners = new Map<string, { artifact: string; registry: string }>();
  const found: { at: (string | number)[]; error: UserError }[] = [];
  for (const [index, artifact] of artifacts.entries()) {
    if (artifact === null) continue;
    const { name: own, kind } = artifact;
    for (const { name, template, at } of namesOf(artifact, repo, nameSpaceOf)) {
      const { registry, repository, tag } = name;
      const key = JSON.stringify([kind, nameSpaceOf(registry, kind).place, repository, tag]);
      const owner = owners.get(key) ?? { artifact: own, registry };
      owners.set(key, owner);
      if (owner.artifact === own) continue;
      const place = ["artifacts", index, ...at];
      if (!found.some((other) => isSameDestination(other.at, place)))
        found.push({ at: place, error: nameShared(owner, own, registry, template) });
    }
  }
  return found;
}

/** One mistake in `as` makes all tags of a destination equal. */
function isSameDestination(a: (string | number)[], b: (string | number)[]): boolean {
  return a[1] === b[1] && a[3] === b[3];
}

function nameShared(
  owner: { artifact: string; registry: string },
  artifact: string,
  registry: string,
  template: string,
): UserError {
  const where =
    owner.registry === registry ? `"${registry}"` : `"${owner.registry}" and "${registry}", which are one place`;
  return new UserError(
    "name-shared",
    `artifacts ${quoted(owner.artifact)} and ${quoted(artifact)} both publish as "${template}" to ${where}, but a name holds ` +
      "one content only. Give one of them another `as`, or put {artifact} into it.",
  );
}

function namesOf(
  { name: artifact, kind, publish }: Named,
  repo: Pick<Repo, "owner" | "name">,
  nameSpaceOf: NameSpaceOf,
): { name: ArtifactName; template: string; at: (string | number)[] }[] {
  const facts: NameFacts = { ...SAMPLE, owner: repo.owner, repo: repo.name, artifact };
  return publish.flatMap((to, place) => {
    if (to === null) return [];
    const { as } = to;
    if (kind === "image") {
      return to.tags.flatMap((tag, index) => {
        if (tag === null) return [];
        const at = ["publish", place, "tags", index];
        return renderings({ ...to, tags: [tag] }, facts).map(({ name }) => ({ name, template: `${as}:${tag}`, at }));
      });
    }
    // A path ends with the artifact's name.
    if (as === null || nameSpaceOf(to.to, kind).shelving === "path") return [];
    const at = ["publish", place, "as"];
    return versionNames(kind, "package", { ...to, tags: [] }, facts, null).map((name) => ({ name, template: as, at }));
  });
}
