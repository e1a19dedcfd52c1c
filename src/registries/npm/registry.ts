import type { Store } from "../../store/store.ts";
import { FileRegistry } from "../protocols/files/registry.ts";
import { labelOf, readBaseUrl, readPublicUrl } from "../protocols/http/endpoint.ts";
import { fixedLogin } from "../protocols/http/login.ts";
import { NpmShelf } from "../protocols/npm/shelf.ts";

/** `registries.<key>` of type `npm`. */
export interface NpmConfig {
  /** Left out: npm's own public registry. */
  url?: string | null | undefined;
  token: string;
  /** What people are told in place of `url`. */
  publicUrl?: string | null | undefined;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | null | undefined;
}

/** Any registry that npm can publish to. @throws ConfigError `registry-url`, `registry-credentials` */
export async function npmRegistry(key: string, config: NpmConfig, stock: { store: Store }): Promise<FileRegistry> {
  const url = readBaseUrl(key, "url", config.url ?? (await publicRegistry()));
  const shelf = new NpmShelf({
    label: labelOf(key, url),
    url,
    publicUrl: readPublicUrl(key, config.publicUrl),
    authorize: fixedLogin(key, { token: config.token }),
    ca: config.ca ?? undefined,
  });
  return new FileRegistry(key, shelf, stock);
}

/** npm's own default, whatever this machine's npm is configured to use. */
export async function publicRegistry(): Promise<string> {
  const { default: npmFetch } = await import("npm-registry-fetch");
  return npmFetch.pickRegistry("npm", {});
}
