import type { ArtifactKind } from "../../delivery/types.ts";
import { orNull, strict, text, token, webUrl } from "../../settings/scalars.ts";
import { login } from "../protocols/http/settings.ts";
import { placeByUrl, registryType } from "../registry-type.ts";

/** Artifactory keeps each kind in a repository of its own: it takes those that have one in the configuration. */
const KEPT = { image: "docker", jar: "maven", npm: "npm", wheel: "pypi", file: "generic", ami: null } as const;

type Repositories = Record<NonNullable<(typeof KEPT)[keyof typeof KEPT]>, string | null>;

/** The local repository for artifacts of this kind; null: none. */
function repositoryFor(repositories: Repositories, kind: ArtifactKind): string | null {
  const kept = KEPT[kind];
  return kept === null ? null : repositories[kept];
}

/** JFrog Artifactory: one local repository for each type of package. */
export const artifactory = registryType({
  type: "artifactory",
  settings: {
    url: webUrl.describe("The URL of Artifactory itself, such as https://acme.jfrog.io/artifactory."),
    /** The password may be an access or identity token. */
    ...login,
    token: orNull(token).describe("An access token instead of username and password; sent as Bearer."),
    repositories: strict({
      docker: orNull(text).describe("The key of the local repository for images. Left out: no images."),
      maven: orNull(text).describe("The key of the local repository for jars. Left out: no jars."),
      npm: orNull(text).describe("The key of the local repository for npm packages. Left out: no npm packages."),
      pypi: orNull(text).describe("The key of the local repository for wheels. Left out: no wheels."),
      generic: orNull(text).describe("The key of the local repository for files. Left out: no files."),
    }).describe("The keys of the local repositories, one for each type of package."),
  },
  secrets: ["password", "token"],
  kinds: ({ repositories }) =>
    (Object.keys(KEPT) as ArtifactKind[]).filter((kind) => repositoryFor(repositories, kind) !== null),
  place: ({ url, repositories }, kind) =>
    placeByUrl("artifactory", url, repositoryFor(repositories, kind) ?? undefined),
  open: async (...given) => (await import("./registry.ts")).artifactoryRegistry(...given),
});
