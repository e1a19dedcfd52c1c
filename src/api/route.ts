import type { Request, RequestHandler, Response, Router } from "express";
import type * as z from "zod";
import type { ConcurrencyLimit } from "../receiver/concurrency-limit.ts";
import type { Auth } from "./auth.ts";
import { parseQuery, type QueryShape } from "./query.ts";

/** Who may use a route: everybody, whoever may read, or a token of this role. */
export type Access = "open" | "reader" | "operator" | "admin";

/** A route of the API as data: what it checks, and what the OpenAPI document says of it. */
export interface Route<Shape extends QueryShape = QueryShape> {
  method: "get" | "post";
  /** As Express writes it. */
  path: string;
  /** What it does, in one line. */
  summary: string;
  access: Access;
  query: z.ZodObject<Shape>;
  /** Of JSON. Left out: the request has no body. */
  body?: z.ZodType;
  answer: {
    status: number;
    /** Of JSON; or the media types of what is not JSON. */
    content: z.ZodType | readonly string[];
  };
  /** The statuses of its problems, besides those that every route may have. */
  problems: readonly number[];
}

/** Gives a declaration its type. */
export function route<Shape extends QueryShape>(declaration: Route<Shape>): Route<Shape> {
  return declaration;
}

export type Handler<Shape extends QueryShape> = (
  request: Request,
  response: Response,
  query: z.output<z.ZodObject<Shape>>,
) => Promise<void>;

/**
 * Serves a route as it is declared: lets in whom it may, checks the query, and counts towards the limit.
 * @param before reads the body, if there is one
 */
export function serveRoute<Shape extends QueryShape>(
  router: Router,
  auth: Auth,
  { method, path, access, query }: Route<Shape>,
  limit: ConcurrencyLimit | ((request: Request) => ConcurrencyLimit),
  handler: Handler<Shape>,
  before: RequestHandler[] = [],
): void {
  const doorman: RequestHandler[] = access === "open" ? [] : [auth[access]];
  const check: RequestHandler = (request, response, next) => {
    response.locals.query = parseQuery(query, request);
    next();
  };
  const work = (request: Request, response: Response) =>
    handler(request, response, response.locals.query as z.output<typeof query>);
  const run: RequestHandler = (request, response, next) =>
    (typeof limit === "function" ? limit(request) : limit).handler(work)(request, response, next);
  router[method](path, ...doorman, check, ...before, run);
}
