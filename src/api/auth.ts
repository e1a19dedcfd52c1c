import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { NextFunction, Request, RequestHandler, Response } from "express";
import { sendProblem } from "../receiver/problem.ts";

const COOKIE = "deliverd_session";
const SESSION_MS = 12 * 60 * 60_000;

export interface Auth {
  /** For what only reads over the API: a token, or nobody where `anonymous: viewer`. */
  reader: RequestHandler;
  /** For what changes something: the token in the header alone, so that no other site can make a browser do it. */
  admin: RequestHandler;
  /** For pages: the token, the sign-in cookie, or nobody; else on to the sign-in page. */
  page: RequestHandler;
  /** Checks a token typed at the sign-in page and sets the cookie. */
  signIn(token: string, response: Response): boolean;
}

export function createAuth(options: { adminToken: string; anonymous: "none" | "viewer"; secureCookie: boolean }): Auth {
  const isAdmin = (token: string | null): boolean => token !== null && same(token, options.adminToken);
  const isOpen = options.anonymous === "viewer";
  const deny = (response: Response): void => {
    response.setHeader("www-authenticate", 'Bearer realm="deliverd"');
    sendProblem(response, 401, "A token is needed: send Authorization: Bearer <adminToken>.");
  };
  return {
    reader(request, response, next) {
      if (isOpen || isAdmin(bearer(request)) || hasSession(request, options.adminToken)) next();
      else deny(response);
    },
    admin(request, response, next) {
      if (isAdmin(bearer(request))) next();
      else deny(response);
    },
    page(request: Request, response: Response, next: NextFunction) {
      if (isOpen || isAdmin(bearer(request)) || hasSession(request, options.adminToken)) next();
      else response.redirect(303, `/sign-in?to=${encodeURIComponent(request.originalUrl)}`);
    },
    signIn(token, response) {
      if (!isAdmin(token)) return false;
      const expires = String(Date.now() + SESSION_MS);
      response.cookie(COOKIE, `${expires}.${seal(expires, options.adminToken)}`, {
        httpOnly: true,
        sameSite: "strict",
        secure: options.secureCookie,
        maxAge: SESSION_MS,
        path: "/",
      });
      return true;
    },
  };
}

function bearer(request: Request): string | null {
  return /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? null;
}

function hasSession(request: Request, key: string): boolean {
  const cookie = (request.headers.cookie ?? "")
    .split(";")
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${COOKIE}=`));
  const [expires, mac] = (cookie?.slice(COOKIE.length + 1) ?? "").split(".");
  if (expires === undefined || mac === undefined || !same(mac, seal(expires, key))) return false;
  return Number(expires) > Date.now();
}

function seal(text: string, key: string): string {
  return createHmac("sha256", key).update(`session ${text}`).digest("hex");
}

/** Hashed first, so that lengths are equal and the comparison tells nothing. */
function same(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
