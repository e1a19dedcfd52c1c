import { UserError } from "./errors.ts";
import { type NameFacts, renderings } from "./names.ts";
import type { ArtifactKind, ArtifactName, ArtifactPlan, Repo } from "./types.ts";
import { versionNames } from "./version-names.ts";

/** Values that no real repo has: two names that are equal for these are equal for every commit. */
const SAMPLE = {
  sha: "5a3b1e0f".repeat(5),
  committedAt: new Date(Date.UTC(1970, 0, 1)),
  versions: ["90210.31415.27182"],
  tags: ["a-git-tag-that-nobody-has"],
  branches: ["a-branch-that-nobody-has"],
};

/**
 * Requires that no two artifacts publish under the same name for every commit. Names that are equal only for some
 * commits, such as a branch `edge` and a tag `edge`, are found when they are written.
 * @param isPackage whether a registry stores this kind under the name that `as` gives. If not, each artifact has its
 *   own path.
 * @throws UserError `name-shared`
 */
export function requireDistinctNames(
  artifacts: ArtifactPlan[],
  repo: Pick<Repo, "owner" | "name">,
  isPackage: (registry: string, kind: ArtifactKind) => boolean,
): void {
  const owners = new Map<string, string>();
  for (const artifact of artifacts) {
    for (const { name, template } of namesOf(artifact, repo, isPackage)) {
      const { registry, repository, tag } = name;
      const key = JSON.stringify([artifact.kind, registry, repository, tag]);
      const owner = owners.get(key) ?? artifact.name;
      owners.set(key, owner);
      if (owner === artifact.name) continue;
      throw new UserError(
        "name-shared",
        `artifacts "${owner}" and "${artifact.name}" both publish as "${template}" to "${registry}", ` +
          "but a name holds one content only. Give one of them another `as`, or put {artifact} into it.",
      );
    }
  }
}

function namesOf(
  artifact: ArtifactPlan,
  repo: Pick<Repo, "owner" | "name">,
  isPackage: (registry: string, kind: ArtifactKind) => boolean,
): { name: ArtifactName; template: string }[] {
  const facts: NameFacts = { ...SAMPLE, owner: repo.owner, repo: repo.name, artifact: artifact.name };
  return artifact.publish.flatMap((to) => {
    const { as } = to;
    if (artifact.kind === "image") {
      return to.tags.flatMap((tag) =>
        renderings({ ...to, tags: [tag] }, facts).map(({ name }) => ({ name, template: `${as}:${tag}` })),
      );
    }
    if (as === null || !isPackage(to.to, artifact.kind)) return [];
    return versionNames(artifact.kind, "package", to, facts, null).map((name) => ({ name, template: as }));
  });
}
