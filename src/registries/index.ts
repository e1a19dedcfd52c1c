import { type AmiConfig, amiRegistry } from "./ami/index.ts";
import { type ArtifactoryConfig, artifactoryRegistry } from "./artifactory/index.ts";
import { type CodeArtifactConfig, codeArtifactRegistry } from "./codeartifact/index.ts";
import { type DockerHubConfig, dockerHubRegistry } from "./docker-hub/index.ts";
import { type EcrConfig, ecrRegistry } from "./ecr/index.ts";
import { type HttpConfig, httpRegistry } from "./http/index.ts";
import { type MavenConfig, mavenRegistry } from "./maven/index.ts";
import { type NpmConfig, npmRegistry } from "./npm/index.ts";
import { type OciConfig, ociRegistry } from "./oci/index.ts";
import type { Stock } from "./protocols/oci/image-registry.ts";
import { type PypiConfig, pypiRegistry } from "./pypi/index.ts";
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
 * All registries by their key: the only place that knows every type. Nothing is asked over the network here.
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
      return ociRegistry(key, config, stock);
    case "docker-hub":
      return dockerHubRegistry(key, config, stock);
    case "ecr":
      return ecrRegistry(key, config, stock);
    case "codeartifact":
      return codeArtifactRegistry(key, config, stock);
    case "ami":
      return amiRegistry(key, config, stock);
    case "npm":
      return npmRegistry(key, config, stock);
    case "pypi":
      return pypiRegistry(key, config, stock);
    case "maven":
      return mavenRegistry(key, config, stock);
    case "http":
      return httpRegistry(key, config, stock);
    case "artifactory":
      return artifactoryRegistry(key, config, stock);
  }
}
