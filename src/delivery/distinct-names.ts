import { UserError } from "./errors.ts";
import { type NameFacts, renderings } from "./names.ts";
import type { ArtifactKind, ArtifactName, ArtifactPlan, Repo } from "./types.ts";
import { type Shelving, versionNames } from "./version-names.ts";

/** Values that no real repo has: two names that are equal for these are equal for every commit. */
const SAMPLE = {
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
  const owners = new Map<string, { artifact: string; registry: string }>();
  for (const plan of artifacts) {
    const { name: artifact, kind } = plan;
    for (const { name, template } of namesOf(plan, repo, nameSpaceOf)) {
      const { registry, repository, tag } = name;
      const key = JSON.stringify([kind, nameSpaceOf(registry, kind).place, repository, tag]);
      const owner = owners.get(key) ?? { artifact, registry };
      owners.set(key, owner);
      if (owner.artifact === artifact) continue;
      const where =
        owner.registry === registry ? `"${registry}"` : `"${owner.registry}" and "${registry}", which are one place`;
      throw new UserError(
        "name-shared",
        `artifacts "${owner.artifact}" and "${artifact}" both publish as "${template}" to ${where}, but a name holds ` +
          "one content only. Give one of them another `as`, or put {artifact} into it.",
      );
    }
  }
}

function namesOf(
  artifact: ArtifactPlan,
  repo: Pick<Repo, "owner" | "name">,
  nameSpaceOf: NameSpaceOf,
): { name: ArtifactName; template: string }[] {
  const facts: NameFacts = { ...SAMPLE, owner: repo.owner, repo: repo.name, artifact: artifact.name };
  return artifact.publish.flatMap((to) => {
    const { as } = to;
    if (artifact.kind === "image") {
      return to.tags.flatMap((tag) =>
        renderings({ ...to, tags: [tag] }, facts).map(({ name }) => ({ name, template: `${as}:${tag}` })),
      );
    }
    // A path ends with the artifact's name.
    if (as === null || nameSpaceOf(to.to, artifact.kind).shelving === "path") return [];
    return versionNames(artifact.kind, "package", to, facts, null).map((name) => ({ name, template: as }));
  });
}
