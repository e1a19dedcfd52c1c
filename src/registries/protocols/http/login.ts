import { ConfigError } from "../../../delivery/errors.ts";
import type { Authorize } from "./client.ts";

/** What an entry of `registries` says of its login. */
export interface LoginConfig {
  username?: string | null | undefined;
  password?: string | null | undefined;
  token?: string | null | undefined;
}

/**
 * A login that never changes.
 * @param withToken the header for a token; left out: Bearer @throws ConfigError `registry-credentials`
 */
export function fixedLogin(
  key: string,
  login: LoginConfig,
  withToken = (token: string) => `Bearer ${token}`,
): Authorize {
  const header = headerOf(key, login, withToken);
  return async () => header;
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function headerOf(key: string, { username, password, token }: LoginConfig, withToken: (token: string) => string) {
  if (token && !username && !password) return withToken(token);
  if (username && password && !token) return basic(username, password);
  if (!username && !password && !token) return null;
  throw new ConfigError(
    "registry-credentials",
    `registries.${key}: give username and password, both of them, or a token alone.`,
  );
}
