/** A token that a registry's token server has handed out. */
export interface Token {
  value: string;
  /** ms. */
  life: number;
  /** All that the answer holds and nobody may see. */
  secrets: string[];
}

/**
 * A token without a usable `expires_in` lives so long (s), by the specification; and none is kept for longer than a
 * day.
 */
const DEFAULT_LIFE = 60;
const LONGEST_LIFE = 24 * 60 * 60;

const FIELDS = ["token", "access_token", "refresh_token", "id_token"] as const;

/**
 * Reads the answer of a token server: https://distribution.github.io/distribution/spec/auth/token/. Of `token` and
 * `access_token` one is enough; a field that is empty, null or of another type is a field that is not there.
 * `issued_at` says nothing that is needed: a life is counted from when we have the token. Null: there is no token in
 * it.
 */
export function readToken(text: string): Token | null {
  const fields = objectIn(text.replace(/^\ufeff/, ""));
  const [token, accessToken, ...others] = FIELDS.map((name) => tokenIn(fields[name]));
  const value = token ?? accessToken;
  if (value == null) return null;
  const said = Number(typeof fields.expires_in === "string" ? fields.expires_in.trim() || 0 : fields.expires_in);
  const seconds = said > 0 ? Math.min(said, LONGEST_LIFE) : DEFAULT_LIFE;
  const secrets = [token, accessToken, ...others].filter((each) => each != null);
  return { value, life: seconds * 1000, secrets };
}

/** Whatever a header can hold. */
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
