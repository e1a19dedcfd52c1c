import type { RegistryConfig } from "../config/server-schema.ts";
import type { ArtifactKind } from "../delivery/types.ts";
import type { Shelving } from "../delivery/version-names.ts";

type Type = RegistryConfig["type"];

const KINDS: Record<Exclude<Type, "artifactory">, readonly ArtifactKind[]> = {
  "docker-hub": ["image"],
  oci: ["image"],
  ecr: ["image"],
  codeartifact: ["jar", "npm", "wheel", "file"],
  pypi: ["wheel"],
  npm: ["npm"],
  maven: ["jar"],
  http: ["file", "jar", "npm", "wheel"],
  ami: ["ami"],
};

/** Artifactory keeps each kind in a repository of its own: it takes those that have one in the configuration. */
const ARTIFACTORY = { image: "docker", jar: "maven", npm: "npm", wheel: "pypi", file: "generic" } as const;

/** Which kinds of artifacts go into a registry of this configuration. */
export function kindsOf(config: RegistryConfig): readonly ArtifactKind[] {
  if (config.type !== "artifactory") return KINDS[config.type];
  const kinds = Object.keys(ARTIFACTORY) as (keyof typeof ARTIFACTORY)[];
  return kinds.filter((kind) => config.repositories[ARTIFACTORY[kind]] !== null);
}

/** Files have paths everywhere, and a plain HTTP store knows nothing else. */
export function shelvingOf(type: Type, kind: ArtifactKind): Shelving {
  return kind === "file" || type === "http" ? "path" : "package";
}
