import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { NextFunction, Request, RequestHandler, Response } from "express";
import { type Log, silentLog } from "../observe/log.ts";
import { sendProblem } from "../receiver/problem.ts";
import { SignInAttempts } from "./sign-in-attempts.ts";

const COOKIE = "deliverd_session";
const SESSION_MS = 12 * 60 * 60_000;

export interface Auth {
  /**
   * For API routes that only read: requires a token or a session, unless the configuration says `anonymous: viewer`.
   */
  reader: RequestHandler;
  /**
   * For API routes that change something: requires the token in the header, so that no other site can use a session.
   */
  admin: RequestHandler;
  /** Whether the request has the token or a session, also where it needs neither. */
  isKnown(request: Request): boolean;
  /** For pages: like `reader`, but redirects to the sign-in page. */
  page: RequestHandler;
  /** For pages that only the administrator may see, whatever the configuration says: redirects to the sign-in page. */
  owner: RequestHandler;
  /** Checks a token from the sign-in form, and sets the session cookie if it is right. */
  signIn(token: string, request: Request, response: Response): SignInOutcome;
}

export type SignInOutcome =
  | { kind: "signed-in" }
  | { kind: "wrong" }
  /** Too many attempts have failed, so the token was not checked. @property wait ms until the next attempt */
  | { kind: "later"; wait: number };

export interface AuthOptions {
  adminToken: string;
  anonymous: "none" | "viewer";
  secureCookie: boolean;
  /** Gets a line for each failed attempt. */
  log?: Log;
}

export function createAuth(options: AuthOptions): Auth {
  const attempts = new SignInAttempts(options.log ?? silentLog);
  const isAdmin = (request: Request): boolean => {
    const token = bearer(request);
    if (token === null) return false;
    const isRight = same(token, options.adminToken);
    if (!isRight) attempts.recordFailure(request, "bearer");
    return isRight;
  };
  const isSignedIn = (request: Request): boolean => {
    const session = sessionOf(request, options.adminToken);
    if (session === "forged") attempts.recordFailure(request, "cookie");
    return session === "valid";
  };
  const isKnown = (request: Request): boolean => isAdmin(request) || isSignedIn(request);
  const isOpen = options.anonymous === "viewer";
  const deny = (request: Request, response: Response): void => {
    response.setHeader("www-authenticate", 'Bearer realm="deliverd"');
    const what = bearer(request) === null ? "A token is needed" : "The token is not the admin token of this server";
    sendProblem(response, 401, `${what}: send Authorization: Bearer <adminToken>.`);
  };
  return {
    isKnown,
    reader(request, response, next) {
      if (isOpen || isKnown(request)) next();
      else deny(request, response);
    },
    admin(request, response, next) {
      if (isAdmin(request)) next();
      else deny(request, response);
    },
    page(request: Request, response: Response, next: NextFunction) {
      if (isOpen || isKnown(request)) next();
      else response.redirect(303, `/sign-in${returnQuery(request.originalUrl)}`);
    },
    owner(request: Request, response: Response, next: NextFunction) {
      if (isAdmin(request) || isSignedIn(request)) next();
      else response.redirect(303, `/sign-in${returnQuery(request.originalUrl)}`);
    },
    signIn(token, request, response) {
      const wait = attempts.waitMs(request);
      if (wait > 0) return { kind: "later", wait };
      if (!same(token, options.adminToken)) {
        attempts.recordFailure(request, "form");
        return { kind: "wrong" };
      }
      const expires = String(Date.now() + SESSION_MS);
      response.cookie(COOKIE, `${expires}.${seal(expires, options.adminToken)}`, {
        httpOnly: true,
        sameSite: "strict",
        secure: options.secureCookie,
        maxAge: SESSION_MS,
        path: "/",
      });
      return { kind: "signed-in" };
    },
  };
}

/** Longer than any link of deliverd. The limit keeps a redirect from being much larger than its request. */
const MAX_RETURN_CHARS = 1_000;

/** The query with which the sign-in page returns to this URL. */
function returnQuery(url: string): string {
  return url.length > MAX_RETURN_CHARS ? "" : `?to=${encodeURIComponent(url)}`;
}

function bearer(request: Request): string | null {
  return /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? null;
}

/** The state of the session cookie. An expired session does not count as a failed attempt. */
function sessionOf(request: Request, key: string): "none" | "valid" | "expired" | "forged" {
  const cookie = (request.headers.cookie ?? "")
    .split(";")
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${COOKIE}=`));
  if (cookie === undefined) return "none";
  const [expires = "", mac = ""] = cookie.slice(COOKIE.length + 1).split(".");
  if (!same(mac, seal(expires, key))) return "forged";
  return Number(expires) > Date.now() ? "valid" : "expired";
}

function seal(text: string, key: string): string {
  return createHmac("sha256", key).update(`session ${text}`).digest("hex");
}

/** Compares in constant time. Hashing makes both lengths equal, which timingSafeEqual requires. */
function same(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
