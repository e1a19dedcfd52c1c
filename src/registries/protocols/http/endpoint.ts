import { ConfigError } from "../../../delivery/errors.ts";

/**
 * Reads the base URL of a registry from the configuration.
 * @param key the key under `registries`
 * @param setting the name of the setting, for the error
 * @throws ConfigError `registry-url`
 */
export function readBaseUrl(key: string, setting: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain = url !== null && !url.search && !url.hash && !url.username && !url.password;
  if (isPlain && /^https?:$/.test(url.protocol)) return url;
  throw new ConfigError(
    "registry-url",
    `registries.${key}.${setting}: expected https://host/path or http://host:port/path ` +
      "with no user, query or fragment; " +
      "credentials go into username and password, or token.",
  );
}

/** Reads `publicUrl` of a registry. A slash at its end is added: what stands below is joined to it. */
export function readPublicUrl(key: string, text: string | null | undefined): URL | undefined {
  return text ? readBaseUrl(key, "publicUrl", `${text.replace(/\/+$/, "")}/`) : undefined;
}

/** The name of a registry in errors: `registry files (files.example.com)`. */
export function labelOf(key: string, url: URL): string {
  return `registry ${key} (${url.host})`;
}
