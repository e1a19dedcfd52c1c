import { type NextFunction, type Request, type RequestHandler, type Response, Router } from "express";
import * as z from "zod";
import { BadSignature, type Host } from "../hosts/host.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import { Aborted, type BodyReader, createBodyReader, discardRest } from "../receiver/read-body.ts";
import type { Auth } from "./auth.ts";
import { ciBodySchema, readCiBody } from "./ci-body.ts";
import type { ApiOptions } from "./options.ts";
import { parseQuery } from "./query.ts";
import { type Route, route } from "./route.ts";
import { acceptedSchema } from "./schemas.ts";
import { sendJson } from "./send-json.ts";

/** Nobody has proved to be allowed when the body is read. */
const LIMITS = { maxBodyBytes: 128 * 1024, bodyTimeoutMs: 30_000 };
/** ms in which the rest of a refused body is read: most clients see the answer only then. */
const DISCARD_MS = 5_000;

export const CI_ROUTE: Route = route({
  method: "post",
  path: "/api/v1/ci",
  summary: "Say what came of the checks of a commit, with a token or a signature (Standard Webhooks).",
  access: "operator",
  query: z.object({}),
  body: ciBodySchema,
  answer: { status: 202, content: acceptedSchema.extend({ repo: z.string() }) },
  problems: [404, 408, 409, 422, 429],
});

/** POST /api/v1/ci: CI says what came of the checks of a commit. */
export function ciRoute({ auth, ci }: ApiOptions, limits: ConcurrencyLimits): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.post(
    CI_ROUTE.path,
    (request, _response, next) => {
      parseQuery(CI_ROUTE.query, request);
      next();
    },
    requireProof(auth),
    rawBody(createBodyReader(LIMITS)),
    limits.ciResults.handler((request, response) => accept(ci, request, response)),
  );
  return router;
}

/** Takes an operator's token, or lets a request pass that has a signature: `accept` verifies it over the body. */
function requireProof(auth: Auth): RequestHandler {
  return (request: Request, response: Response, next: NextFunction) => {
    const isSigned = request.headers.authorization === undefined && request.headers["webhook-signature"] !== undefined;
    if (isSigned) next();
    else auth.operator(request, response, next);
  };
}

/** The signature is over the raw bytes. They are read before the limit counts: who sends slowly holds up no other. */
function rawBody(readBody: BodyReader): RequestHandler {
  return async (request, _response, next) => {
    try {
      if (request.is("application/json") === false) throw new Problem(415, "Only application/json is taken.");
      if (request.headers["content-encoding"] !== undefined) throw new Problem(415, "A compressed body is not taken.");
      request.body = await readBody(request);
      next();
    } catch (error) {
      if (error instanceof Aborted) return;
      discardRest(request, DISCARD_MS);
      throw error;
    }
  };
}

async function accept({ hosts, keep }: ApiOptions["ci"], request: Request, response: Response): Promise<void> {
  const bytes = request.body as Buffer;
  const allowed = hostsOf(hosts, request, bytes);
  const { repo, sha, checks } = readCiBody(bytes, Date.now());
  const deliveryId = String(request.headers["webhook-id"] ?? "").slice(0, 100);
  const kept = await keep({ repo, hosts: allowed, sha, checks, deliveryId });
  sendJson(response, { status: "accepted", because: "the commit will be looked at again", repo: kept, sha }, 202);
}

/** The keys of the hosts that the sender may speak for. @throws Problem 401, 404 */
function hostsOf(hosts: ReadonlyMap<string, Host>, request: Request, body: Buffer): string[] {
  const taking = [...hosts].filter(([, { verifyCi }]) => verifyCi !== undefined);
  if (taking.length === 0)
    throw new Problem(404, "No host of this server takes results of CI: only those of the type generic do.");
  // The token was right already.
  if (request.headers.authorization !== undefined) return taking.map(([key]) => key);
  const refusals: string[] = [];
  const signed = taking.filter(([, host]) => {
    try {
      host.verifyCi?.({ headers: request.headers, body });
      return true;
    } catch (error) {
      if (!(error instanceof BadSignature)) throw error;
      refusals.push(error.message);
      return false;
    }
  });
  if (signed.length === 0) throw new Problem(401, refusals[0] ?? "The signature is wrong.");
  return signed.map(([key]) => key);
}
