import { ConfigError, Refused } from "../../../delivery/errors.ts";
import { isRepository, isTag } from "../../../delivery/oci-names.ts";
import { isDigest } from "../../../store/digest.ts";

/**
 * A repository's name becomes part of a URL, so what does not fit the grammar is refused.
 * @throws Refused `name-invalid`
 */
export function requireRepository(text: string): string {
  if (isRepository(text)) return text;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(text.slice(0, 100))} is not a repository name: ` +
      `use lower-case letters, digits, ".", "_", "-" and "/" between them.`,
  );
}

/** A tag or a digest. @throws Refused `name-invalid` */
export function requireReference(text: string): string {
  if (isDigest(text) || isTag(text)) return text;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(text.slice(0, 150))} is not a tag: ` +
      `use letters, digits, "_", "." and "-", at most 128, no "." or "-" first.`,
  );
}

/** @param key under `registries` @throws ConfigError `registry-url` */
export function readRegistryUrl(key: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain = url !== null && url.pathname === "/" && !url.search && !url.hash && !url.username && !url.password;
  if (isPlain && (url.protocol === "https:" || url.protocol === "http:")) return url;
  throw new ConfigError(
    "registry-url",
    `registries.${key}.url: expected https://host or http://host:port with no path, user or query; ` +
      `names of repositories go into the pipeline's "as", credentials into username and password.`,
  );
}

export function isLoopback(url: URL): boolean {
  return url.hostname === "localhost" || url.hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(url.hostname);
}
