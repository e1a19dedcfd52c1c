import { readPublicUrl } from "../protocols/http/endpoint.ts";
import { readCredentials } from "../protocols/oci/credentials.ts";
import { ImageRegistry, type Stock } from "../protocols/oci/image-registry.ts";
import { readRegistryUrl } from "../protocols/oci/names.ts";

/** `registries.<key>` of type `docker-hub`. */
export interface DockerHubConfig {
  username?: string | null | undefined;
  password?: string | null | undefined;
  /** Left out: Docker Hub itself. Else what stands in for it, and images are pulled from there. */
  url?: string | null | undefined;
  checkRepository?: string | null | undefined;
  /** What people are told in place of the host of `url`. A path in it goes before the name of each repository. */
  publicUrl?: string | null | undefined;
}

/**
 * Docker Hub: OCI distribution, whose tokens come from auth.docker.io.
 * @throws ConfigError `registry-url`, `registry-credentials`
 */
export function dockerHubRegistry(key: string, config: DockerHubConfig, stock: Stock): ImageRegistry {
  const url = readRegistryUrl(key, config.url ?? "https://registry-1.docker.io");
  return new ImageRegistry(
    {
      key,
      url,
      credentials: readCredentials(key, config),
      pullHost: config.url ? url.host : "docker.io",
      publicUrl: readPublicUrl(key, config.publicUrl),
      // A push to a repository that is not there creates it, so none is tried that nobody named.
      checkRepository: config.checkRepository ?? null,
    },
    stock,
  );
}
