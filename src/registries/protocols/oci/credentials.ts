import { ConfigError } from "../../../delivery/errors.ts";
import type { Credentials } from "./login.ts";

/**
 * Requires both user name and password, or neither.
 * @param key under `registries`
 * @throws ConfigError `registry-credentials`
 */
export function readCredentials(
  key: string,
  { username, password }: { username?: string | null | undefined; password?: string | null | undefined },
): Credentials | null {
  if (username && password) return { username, password };
  if (!username && !password) return null;
  throw new ConfigError(
    "registry-credentials",
    `registries.${key}: username and password belong together; ` +
      `${username ? "the password" : "the username"} is missing.`,
  );
}
