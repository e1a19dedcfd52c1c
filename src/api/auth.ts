import type { NextFunction, Request, RequestHandler, Response } from "express";
import { mayAct, type Role } from "../delivery/roles.ts";
import { type Log, silentLog } from "../observe/log.ts";
import { Problem, sendProblem } from "../receiver/problem.ts";
import { type AccessToken, AccessTokens, type Person } from "./access.ts";
import { type SessionState, Sessions } from "./session.ts";
import { SignInAttempts } from "./sign-in-attempts.ts";

export interface Auth {
  /**
   * For API routes that only read: requires a token or a session, unless the configuration says `anonymous: viewer`.
   */
  reader: RequestHandler;
  /**
   * For API routes that change something: requires a token of this role in the header, so that no other site can use a
   * session.
   */
  operator: RequestHandler;
  admin: RequestHandler;
  /** For pages: like `reader`, but redirects to the sign-in page. */
  page: RequestHandler;
  /**
   * For forms of pages, after their body was read: requires a session of an operator, the token of the session's forms
   * in the field `form`, and that the browser sent it from a page of this server.
   */
  form: RequestHandler;
  /** Whether a form, whose body was read, came from a page of the request's own session. */
  isOwnForm(request: Request): boolean;
  /** Who asks. Null: nobody who showed a token, as with `anonymous: viewer`. */
  personOf(request: Request): (Person & { via: "token" | "session" }) | null;
  /** For a hidden field of forms; null: the request has no session. */
  formTokenOf(request: Request): string | null;
  /** For pages that only an administrator may see, whatever the configuration says: redirects to the sign-in page. */
  adminPage: RequestHandler;
  /** Checks a token from the sign-in form, and sets the session cookie if it is right. */
  signIn(token: string, request: Request, response: Response): SignInOutcome;
  signOut(response: Response): void;
}

export type SignInOutcome =
  | { kind: "signed-in"; person: Person }
  | { kind: "wrong" }
  /** Too many attempts have failed, so the token was not checked. @property wait ms until the next attempt */
  | { kind: "later"; wait: number };

export interface AuthOptions {
  adminToken: string;
  /** Left out: only the admin token opens the server. */
  tokens?: readonly AccessToken[];
  anonymous: "none" | "viewer";
  secureCookie: boolean;
  /** Gets a line for each failed attempt. */
  log?: Log;
}

export function createAuth(options: AuthOptions): Auth {
  const attempts = new SignInAttempts(options.log ?? silentLog);
  const tokens = new AccessTokens(options.adminToken, options.tokens ?? []);
  const sessions = new Sessions(options.adminToken, tokens, options.secureCookie);
  const isOpen = options.anonymous === "viewer";
  const byToken = (request: Request): Person | null => {
    const token = bearer(request);
    if (token === null) return null;
    const found = tokens.find(token);
    if (found === null) attempts.recordFailure(request, "bearer");
    return found;
  };
  const sessionOf = (request: Request): SessionState => {
    const session = sessions.read(request);
    if (session.kind === "forged") attempts.recordFailure(request, "cookie");
    return session;
  };
  const mayRead = (request: Request) => isOpen || byToken(request) !== null || sessionOf(request).kind === "valid";
  const needing = (needed: Role): RequestHandler => {
    return (request, response, next) => {
      const person = byToken(request);
      if (person === null) deny(request, response);
      else if (mayAct(person.role, needed)) next();
      else sendProblem(response, 403, `The token ${person.name} is of a ${person.role}, and this needs an ${needed}.`);
    };
  };
  const isOwnForm = (request: Request): boolean => {
    const session = sessions.read(request);
    const { form } = (request.body ?? {}) as { form?: unknown };
    // Old browsers do not send the header; the token of the form protects them.
    const site = request.headers["sec-fetch-site"] ?? "same-origin";
    return session.kind === "valid" && site === "same-origin" && sessions.isFormToken(session.id, form);
  };
  return {
    isOwnForm,
    reader(request, response, next) {
      if (mayRead(request)) next();
      else deny(request, response);
    },
    operator: needing("operator"),
    admin: needing("admin"),
    page(request: Request, response: Response, next: NextFunction) {
      if (mayRead(request)) next();
      else response.redirect(303, `/sign-in${returnQuery(request.originalUrl)}`);
    },
    form(request, _response, next) {
      const session = sessionOf(request);
      if (session.kind !== "valid") throw new Problem(401, "Sign in first: there is no session, or it has ended.");
      if (!isOwnForm(request))
        throw new Problem(403, "This form is of another page or session. Open the page again, and try once more.");
      if (!mayAct(session.person.role, "operator"))
        throw new Problem(403, `${session.person.name} is a ${session.person.role}, and this needs an operator.`);
      next();
    },
    personOf(request) {
      const token = bearer(request);
      const found = token === null ? null : tokens.find(token);
      if (found !== null) return { name: found.name, role: found.role, via: "token" };
      const session = sessions.read(request);
      return session.kind === "valid" ? { ...session.person, via: "session" } : null;
    },
    formTokenOf(request) {
      const session = sessions.read(request);
      return session.kind === "valid" ? sessions.formToken(session.id) : null;
    },
    adminPage(request: Request, response: Response, next: NextFunction) {
      const session = sessionOf(request);
      const person = byToken(request) ?? (session.kind === "valid" ? session.person : null);
      if (person === null) response.redirect(303, `/sign-in${returnQuery(request.originalUrl)}`);
      else if (mayAct(person.role, "admin")) next();
      else throw new Problem(403, `${person.name} is a ${person.role}, and this needs an admin.`);
    },
    signIn(token, request, response) {
      const wait = attempts.waitMs(request);
      if (wait > 0) return { kind: "later", wait };
      const found = tokens.find(token);
      if (found === null) {
        attempts.recordFailure(request, "form");
        return { kind: "wrong" };
      }
      sessions.start(response, found);
      return { kind: "signed-in", person: { name: found.name, role: found.role } };
    },
    signOut: (response) => sessions.end(response),
  };
}

function deny(request: Request, response: Response): void {
  response.setHeader("www-authenticate", 'Bearer realm="deliverd"');
  const what = bearer(request) === null ? "A token is needed" : "The token is none of this server's tokens";
  sendProblem(response, 401, `${what}: send Authorization: Bearer <token>.`);
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
