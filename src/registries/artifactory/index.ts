import type { ArtifactKind } from "../../delivery/types.ts";
import { orNull, secret, strict, text, webUrl } from "../../settings/scalars.ts";
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
    /** Of Artifactory itself: `https://acme.jfrog.io/artifactory`. */
    url: webUrl,
    /** The password may be an access or identity token. */
    ...login,
    /** An access token by itself, as Bearer. */
    token: orNull(secret),
    /** The key of a local repository of each type; null: none. */
    repositories: strict({
      docker: orNull(text),
      maven: orNull(text),
      npm: orNull(text),
      pypi: orNull(text),
      generic: orNull(text),
    }),
  },
  secrets: ["password", "token"],
  kinds: ({ repositories }) =>
    (Object.keys(KEPT) as ArtifactKind[]).filter((kind) => repositoryFor(repositories, kind) !== null),
  place: ({ url, repositories }, kind) =>
    placeByUrl("artifactory", url, repositoryFor(repositories, kind) ?? undefined),
  open: async (...given) => (await import("./registry.ts")).artifactoryRegistry(...given),
});
