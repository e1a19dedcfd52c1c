import type { AmiConfig } from "./ami/index.ts";
import type { ArtifactoryConfig } from "./artifactory/index.ts";
import type { CodeArtifactConfig } from "./codeartifact/index.ts";
import type { DockerHubConfig } from "./docker-hub/index.ts";
import type { EcrConfig } from "./ecr/index.ts";
import type { HttpConfig } from "./http/index.ts";
import type { MavenConfig } from "./maven/index.ts";
import type { NpmConfig } from "./npm/index.ts";
import type { OciConfig } from "./oci/index.ts";
import type { Stock } from "./protocols/oci/image-registry.ts";
import type { PypiConfig } from "./pypi/index.ts";
import type { Registry } from "./registry.ts";

/** One entry of `registries`. */
export type RegistryConfig =
  | ({ type: "oci" } & OciConfig)
  | ({ type: "docker-hub" } & DockerHubConfig)
  | ({ type: "ecr" } & EcrConfig)
  | ({ type: "codeartifact" } & CodeArtifactConfig)
  | ({ type: "ami" } & AmiConfig)
  | ({ type: "npm" } & NpmConfig)
  | ({ type: "pypi" } & PypiConfig)
  | ({ type: "maven" } & MavenConfig)
  | ({ type: "http" } & HttpConfig)
  | ({ type: "artifactory" } & ArtifactoryConfig);

/**
 * All registries by their key: the only place that knows every type, and loads those alone that the configuration names.
 * Nothing is asked over the network here.
 * @throws ConfigError `registry-url`, `registry-credentials`
 */
export async function openRegistries(
  configs: Record<string, RegistryConfig>,
  stock: Stock,
): Promise<Map<string, Registry>> {
  const opened = new Map<string, Registry>();
  for (const [key, config] of Object.entries(configs)) opened.set(key, await openRegistry(key, config, stock));
  return opened;
}

async function openRegistry(key: string, config: RegistryConfig, stock: Stock): Promise<Registry> {
  switch (config.type) {
    case "oci":
      return (await import("./oci/index.ts")).ociRegistry(key, config, stock);
    case "docker-hub":
      return (await import("./docker-hub/index.ts")).dockerHubRegistry(key, config, stock);
    case "ecr":
      return (await import("./ecr/index.ts")).ecrRegistry(key, config, stock);
    case "codeartifact":
      return (await import("./codeartifact/index.ts")).codeArtifactRegistry(key, config, stock);
    case "ami":
      return (await import("./ami/index.ts")).amiRegistry(key, config, stock);
    case "npm":
      return (await import("./npm/index.ts")).npmRegistry(key, config, stock);
    case "pypi":
      return (await import("./pypi/index.ts")).pypiRegistry(key, config, stock);
    case "maven":
      return (await import("./maven/index.ts")).mavenRegistry(key, config, stock);
    case "http":
      return (await import("./http/index.ts")).httpRegistry(key, config, stock);
    case "artifactory":
      return (await import("./artifactory/index.ts")).artifactoryRegistry(key, config, stock);
  }
}
