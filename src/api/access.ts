import { createHash, timingSafeEqual } from "node:crypto";
import { ADMIN_NAME, type Role } from "../delivery/roles.ts";

/** Somebody who showed a token. */
export interface Person {
  /** The name of an access token; `admin` for the admin token. */
  name: string;
  role: Role;
}

export interface AccessToken extends Person {
  /** `sha256:<64 hex>` of the token. */
  hash: string;
}

/** The tokens that open this server. Comparing takes the same time for every text. */
export class AccessTokens {
  readonly #tokens: readonly AccessToken[];

  constructor(adminToken: string, tokens: readonly AccessToken[]) {
    this.#tokens = [{ name: ADMIN_NAME, role: "admin", hash: hashToken(adminToken) }, ...tokens];
  }

  /** Whose token this is; null: nobody's. */
  find(token: string): AccessToken | null {
    const hash = Buffer.from(hashToken(token));
    let found: AccessToken | null = null;
    // All are compared: the time must not say which one is similar, or how many there are before it.
    for (const each of this.#tokens) {
      const other = Buffer.from(each.hash);
      if (other.length === hash.length && timingSafeEqual(other, hash)) found = each;
    }
    return found;
  }

  /** The token of this name now; null: there is none any more. */
  named(name: string): AccessToken | null {
    return this.#tokens.find((each) => each.name === name) ?? null;
  }
}

/** The form in which the configuration has a token. A token has 256 random bits, so a fast hash is enough. */
export function hashToken(token: string): string {
  return `sha256:${createHash("sha256").update(token).digest("hex")}`;
}
