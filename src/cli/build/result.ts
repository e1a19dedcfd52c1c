import { nameFacts, namesFor } from "../../../workers/commit/immutable-names.ts";
import type { Work } from "../../../workers/commit/work.ts";
import type { Prepared } from "../../../workers/names/prepared.ts";
import { movingNames } from "../../delivery/names.ts";
import type { ArtifactKind, ArtifactName, Digest, FrozenFile, Location, Repo, Sha } from "../../delivery/types.ts";
import type { StoredLocation } from "../../ledger/locations.ts";
import type { BuildStation } from "./station.ts";

/** What a build made. */
export interface BuildResult {
  /** `<host>/<owner>/<name>`. */
  repo: string;
  /** Null: files were changed, and no commit holds them. */
  sha: Sha | null;
  artifacts: {
    name: string;
    kind: ArtifactKind;
    versions: string[];
    digest: Digest;
    /** Bytes. */
    size: number;
    /** Empty for an image. */
    files: FrozenFile[];
    /** The names that the server would write. Empty if files were changed: only commits get names. */
    names: ArtifactName[];
    /** The names that were written. */
    published: Location[];
  }[];
}

export function resultOf(
  station: Pick<BuildStation, "config">,
  work: Work,
  prepared: Prepared[],
  { repo, isDirty, locations }: { repo: Repo; isDirty: boolean; locations: StoredLocation[] },
): BuildResult {
  return {
    repo: `${repo.host}/${repo.owner}/${repo.name}`,
    sha: isDirty ? null : work.commit.sha,
    artifacts: prepared.map((each) => {
      const { artifact, content, versions } = each;
      const names = (isDirty ? [] : artifact.publish).flatMap((to) => [
        ...namesFor(station, work, each, content, to),
        ...(artifact.kind === "image" ? movingNames(to, nameFacts(work, each)) : []),
      ]);
      return {
        ...{ name: artifact.name, kind: artifact.kind, versions, digest: content.digest, size: content.size },
        files: content.files ?? [],
        names: names.map(({ registry, repository, tag, immutable }) => ({ registry, repository, tag, immutable })),
        published: locations
          .filter((location) => location.artifact === artifact.name && location.digest === content.digest)
          .map(({ registry, repository, tag, digest, url, pull }) => ({
            registry,
            repository,
            tag,
            digest,
            url,
            pull,
          })),
      };
    }),
  };
}

export function textOf({ artifacts }: BuildResult): string {
  return artifacts
    .map(({ name, kind, versions, digest, size, files, names, published }) =>
      [
        `${name} (${kind}) ${versions.join(", ")}`,
        `  ${digest}, ${(size / 1e6).toFixed(1)} MB`,
        ...files.map((file) => `  ${file.name} ${file.digest}`),
        ...names.map((one) => `  ${one.registry}: ${one.repository} ${one.tag}${stateOf(one, published)}`),
      ].join("\n"),
    )
    .join("\n");
}

function stateOf({ registry, repository, tag, immutable }: ArtifactName, published: Location[]): string {
  const isPublished = published.some(
    (each) => each.registry === registry && each.repository === repository && each.tag === tag,
  );
  if (isPublished) return " (published)";
  return immutable ? "" : published.length > 0 ? " (moves: left to the server)" : " (moves)";
}
