import type { Store } from "../../store/store.ts";
import { FileRegistry } from "../protocols/files/registry.ts";
import { labelOf, readBaseUrl, readPublicUrl } from "../protocols/http/endpoint.ts";
import { fixedLogin } from "../protocols/http/login.ts";
import { MavenShelf } from "../protocols/maven/shelf.ts";

/** `registries.<key>` of type `maven`. */
export interface MavenConfig {
  url: string;
  username?: string | null | undefined;
  password?: string | null | undefined;
  /** What people are told in place of `url`. */
  publicUrl?: string | null | undefined;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | null | undefined;
}

/** A Maven repository for releases. @throws ConfigError `registry-url`, `registry-credentials` */
export function mavenRegistry(key: string, config: MavenConfig, stock: { store: Store }): FileRegistry {
  const url = readBaseUrl(key, "url", config.url);
  const shelf = new MavenShelf({
    label: labelOf(key, url),
    url,
    publicUrl: readPublicUrl(key, config.publicUrl),
    authorize: fixedLogin(key, { username: config.username, password: config.password }),
    ca: config.ca ?? undefined,
  });
  return new FileRegistry(key, shelf, stock);
}
