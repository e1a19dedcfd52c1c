import { ConfigError } from "../../../delivery/errors.ts";
import { type Authorize, basicAuth } from "../../../http/login.ts";

/** The credentials of an entry of `registries`: username and password, a token, or none. */
export interface LoginConfig {
  username?: string | null | undefined;
  password?: string | null | undefined;
  token?: string | null | undefined;
}

/**
 * A login that never changes.
 * @param withToken gives the `Authorization` header for a token; Bearer if left out
 * @throws ConfigError `registry-credentials`
 */
export function fixedLogin(
  key: string,
  login: LoginConfig,
  withToken = (token: string) => `Bearer ${token}`,
): Authorize {
  const header = headerOf(key, login, withToken);
  return async () => header;
}

function headerOf(key: string, { username, password, token }: LoginConfig, withToken: (token: string) => string) {
  if (token && !username && !password) return withToken(token);
  if (username && password && !token) return basicAuth(username, password);
  if (!username && !password && !token) return null;
  throw new ConfigError("registry-credentials", `registries.${key}: set both username and password, or only a token.`);
}
