import { readPublicUrl } from "../protocols/http/endpoint.ts";
import { readCredentials } from "../protocols/oci/credentials.ts";
import { ImageRegistry, type Stock } from "../protocols/oci/image-registry.ts";
import { readRegistryUrl } from "../protocols/oci/names.ts";

/** `registries.<key>` of type `oci`. */
export interface OciConfig {
  url: string;
  username?: string | null | undefined;
  password?: string | null | undefined;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | null | undefined;
  /** Where `check` tries the right to push. */
  checkRepository?: string | null | undefined;
  /** What people are told in place of the host of `url`. A path in it goes before the name of each repository. */
  publicUrl?: string | null | undefined;
}

/** Any registry that speaks OCI distribution. @throws ConfigError `registry-url`, `registry-credentials` */
export function ociRegistry(key: string, config: OciConfig, stock: Stock): ImageRegistry {
  const url = readRegistryUrl(key, config.url);
  return new ImageRegistry(
    {
      key,
      url,
      credentials: readCredentials(key, config),
      ca: config.ca ?? undefined,
      pullHost: url.host,
      publicUrl: readPublicUrl(key, config.publicUrl),
      checkRepository: config.checkRepository ?? "deliverd-check",
    },
    stock,
  );
}
