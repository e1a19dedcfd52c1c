import { basicAuth } from "../../http/login.ts";
import type { Store } from "../../store/store.ts";
import { FileRegistry } from "../protocols/files/registry.ts";
import { labelOf, readBaseUrl, readPublicUrl } from "../protocols/http/endpoint.ts";
import { fixedLogin, type LoginConfig } from "../protocols/http/login.ts";
import { PypiShelf } from "../protocols/pypi/shelf.ts";

/** `registries.<key>` of type `pypi`. */
export interface PypiConfig extends LoginConfig {
  /** Takes uploads. */
  url: string;
  /** Of the simple repository API. */
  index: string;
  /** What people are told in place of `index`. */
  publicUrl?: string | null | undefined;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | null | undefined;
}

/** PyPI and every index that twine can upload to. @throws ConfigError `registry-url`, `registry-credentials` */
export function pypiRegistry(key: string, config: PypiConfig, stock: { store: Store }): FileRegistry {
  // The configuration's reader takes the slash off, without which PyPI answers 404.
  const url = readBaseUrl(key, "url", `${config.url.replace(/\/+$/, "")}/`);
  const shelf = new PypiShelf({
    label: labelOf(key, url),
    url,
    publicUrl: readPublicUrl(key, config.publicUrl),
    index: readBaseUrl(key, "index", config.index),
    // https://pypi.org/help/#apitoken
    authorize: fixedLogin(key, config, (token) => basicAuth("__token__", token)),
    ca: config.ca ?? undefined,
  });
  return new FileRegistry(key, shelf, stock);
}
