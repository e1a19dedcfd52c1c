import type { Store } from "../../store/store.ts";
import { HttpShelf } from "../protocols/files/http-shelf.ts";
import { FileRegistry } from "../protocols/files/registry.ts";
import { labelOf, readBaseUrl, readPublicUrl } from "../protocols/http/endpoint.ts";
import { fixedLogin, type LoginConfig } from "../protocols/http/login.ts";

/** `registries.<key>` of type `http`. */
export interface HttpConfig extends LoginConfig {
  url: string;
  /** What people are told in place of `url`. */
  publicUrl?: string | null | undefined;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | null | undefined;
}

/** Any server that takes files by PUT. @throws ConfigError `registry-url`, `registry-credentials` */
export function httpRegistry(key: string, config: HttpConfig, stock: { store: Store }): FileRegistry {
  const url = readBaseUrl(key, "url", config.url);
  const shelf = new HttpShelf({
    label: labelOf(key, url),
    url,
    publicUrl: readPublicUrl(key, config.publicUrl),
    authorize: fixedLogin(key, config),
    ca: config.ca ?? undefined,
  });
  return new FileRegistry(key, shelf, stock);
}
