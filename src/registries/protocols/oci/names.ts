import { ConfigError, Refused } from "../../../delivery/errors.ts";
import { isDigest } from "../../../store/digest.ts";

/** Grammar of OCI distribution specification 1.1, "Pulling manifests". */
const repositoryForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** A repository's name becomes a path: whatever does not fit the grammar ends here. @throws Refused `name-invalid` */
export function requireRepository(text: string): string {
  // 255 with the registry's host, for older Docker engines.
  if (text.length <= 255 && repositoryForm.test(text)) return text;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(text.slice(0, 100))} is not a repository name: lower-case letters, digits, ".", "_", "-" and "/" between them.`,
  );
}

/** @throws Refused `name-invalid` */
export function requireReference(text: string): string {
  if (isDigest(text) || tagForm.test(text)) return text;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(text.slice(0, 150))} is not a tag: letters, digits, "_", "." and "-", at most 128, no "." or "-" first.`,
  );
}

/** @param key under `registries` @throws ConfigError `registry-url` */
export function readRegistryUrl(key: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain = url !== null && url.pathname === "/" && !url.search && !url.hash && !url.username && !url.password;
  if (isPlain && (url.protocol === "https:" || url.protocol === "http:")) return url;
  throw new ConfigError(
    "registry-url",
    `registries.${key}.url: expected https://host or http://host:port with no path, user or query; names of repositories go into the pipeline's "as", credentials into username and password.`,
  );
}

export function isLoopback(url: URL): boolean {
  return url.hostname === "localhost" || url.hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(url.hostname);
}
