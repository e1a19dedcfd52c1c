/** A token that a token server issued. */
export interface Token {
  value: string;
  /** ms from now. */
  life: number;
  /** All secrets of the response, to be masked. */
  secrets: string[];
}

/** The life (s) of a token without a usable `expires_in`, by the specification. */
const DEFAULT_LIFE_S = 60;
/** No token is kept for longer (s). */
const MAX_LIFE_S = 24 * 60 * 60;

const FIELDS = ["token", "access_token", "refresh_token", "id_token"] as const;

/**
 * Reads the response of a token server: https://distribution.github.io/distribution/spec/auth/token/. Either `token` or
 * `access_token` is enough. A field that is empty, null or of another type counts as missing. `issued_at` is ignored:
 * the life of a token counts from when we received it.
 * @returns null: the response holds no token
 */
export function readToken(text: string): Token | null {
  const fields = objectIn(text.replace(/^\ufeff/, ""));
  const [token, accessToken, ...others] = FIELDS.map((name) => tokenIn(fields[name]));
  const value = token ?? accessToken;
  if (value == null) return null;
  const said = Number(typeof fields.expires_in === "string" ? fields.expires_in.trim() || 0 : fields.expires_in);
  const seconds = said > 0 ? Math.min(said, MAX_LIFE_S) : DEFAULT_LIFE_S;
  const secrets = [token, accessToken, ...others].filter((each) => each != null);
  return { value, life: seconds * 1000, secrets };
}

/** A token that can be a header value. */
function tokenIn(value: unknown): string | null {
  const text = typeof value === "string" ? value.trim() : "";
  return /^[\x21-\x7e]+$/.test(text) ? text : null;
}

function objectIn(text: string): Record<string, unknown> {
  try {
    return { ...JSON.parse(text) };
  } catch {
    return {};
  }
}
