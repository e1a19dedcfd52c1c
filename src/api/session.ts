import { createHmac } from "node:crypto";
import type { Request, Response } from "express";
import { isSame } from "../http/is-same.ts";
import type { AccessToken, AccessTokens, Person } from "./access.ts";

const COOKIE = "deliverd_session";
const SESSION_MS = 12 * 60 * 60_000;

/** What the cookie of a request says. An expired session does not count as a failed attempt. */
export type SessionState =
  | { kind: "none" | "expired" | "forged" }
  /** @property id unique to the session */
  | { kind: "valid"; person: Person; id: string };

/**
 * Sessions of the pages. The server keeps none of them: the cookie names the person and an end, and a seal that only this
 * server can make. A session ends early if its token is replaced or removed.
 */
export class Sessions {
  readonly #key: string;
  readonly #tokens: AccessTokens;
  readonly #isSecure: boolean;

  /** @param key a secret of this server. @param isSecure browsers may send the cookie by HTTPS only */
  constructor(key: string, tokens: AccessTokens, isSecure: boolean) {
    this.#key = key;
    this.#tokens = tokens;
    this.#isSecure = isSecure;
  }

  start(response: Response, token: AccessToken): void {
    const text = `${Date.now() + SESSION_MS}.${Buffer.from(token.name).toString("base64url")}`;
    response.cookie(COOKIE, `${text}.${this.#seal(text, token)}`, { ...this.#attributes(), maxAge: SESSION_MS });
  }

  end(response: Response): void {
    response.clearCookie(COOKIE, this.#attributes());
  }

  read(request: Request): SessionState {
    const cookie = cookieOf(request);
    if (cookie === null) return { kind: "none" };
    const [, text = "", expires = "", name = "", mac = ""] = /^((\d{1,15})\.([\w-]+))\.(\w+)$/.exec(cookie) ?? [];
    const token = this.#tokens.named(Buffer.from(name, "base64url").toString());
    if (token === null || !isSame(mac, this.#seal(text, token))) return { kind: "forged" };
    if (Number(expires) <= Date.now()) return { kind: "expired" };
    return { kind: "valid", person: { name: token.name, role: token.role }, id: mac };
  }

  /** What a form of this session must bring, so that another site cannot post it. */
  formToken(id: string): string {
    return createHmac("sha256", this.#key).update(`form ${id}`).digest("base64url");
  }

  isFormToken(id: string, given: unknown): boolean {
    return typeof given === "string" && isSame(given, this.formToken(id));
  }

  /** `lax`, so that a link on a commit's page keeps a person signed in. Forms have a token of their own. */
  #attributes() {
    return { httpOnly: true, sameSite: "lax", secure: this.#isSecure, path: "/" } as const;
  }

  #seal(text: string, { hash }: AccessToken): string {
    return createHmac("sha256", this.#key).update(`session ${text} ${hash}`).digest("hex");
  }
}

function cookieOf(request: Request): string | null {
  const cookie = (request.headers.cookie ?? "")
    .split(";")
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${COOKIE}=`));
  return cookie === undefined ? null : cookie.slice(COOKIE.length + 1);
}
