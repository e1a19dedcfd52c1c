import { type Request, type RequestHandler, type Response, Router } from "express";
import { parseRepoPath } from "../delivery/repo-name.ts";
import type { Sha } from "../delivery/types.ts";
import { createConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import { ciRoute } from "./ci.ts";
import { rejectControlCharacters } from "./control-characters.ts";
import { deliveryRoutes } from "./deliveries.ts";
import type { ApiOptions } from "./options.ts";
import { queryRepo, queryText, requireKnownQuery } from "./query.ts";
import { releaseRoutes } from "./releases.ts";
import { sendJson } from "./send-json.ts";
import { requireSha, resolveShaOfRepo } from "./short-sha.ts";
import { type Why, whyOf } from "./why.ts";
import { whyNoRepo } from "./why-unknown.ts";

/** The REST API, version 1. Every route names who may use it: a reader or an admin. */
export function apiRoute(options: ApiOptions): RequestHandler {
  const { auth, limits = createConcurrencyLimits() } = options;
  const router = Router({ caseSensitive: true, strict: true });
  router.use("/api", rejectControlCharacters);
  router.use(deliveryRoutes(options, limits));
  router.use(releaseRoutes(options, limits));
  router.use(ciRoute(options, limits));
  router.get(
    "/api/v1/why",
    auth.reader,
    requireKnownQuery("repo", "sha"),
    limits.queries.handler((request, response) => sendWhy(options, request, response)),
  );
  router.get(
    "/api/v1/rules",
    auth.reader,
    requireKnownQuery("repo"),
    limits.queries.handler((request, response) => sendRules(options, request, response)),
  );
  return router;
}

async function sendRules(options: ApiOptions, request: Request, response: Response): Promise<void> {
  const repo = queryText(request, "repo");
  if (repo === undefined || parseRepoPath(repo) === null)
    throw new Problem(400, "The name of a repo is needed: /api/v1/rules?repo=<owner>/<name>.");
  const rules = await options.rulesOf(repo);
  // Everybody may read a server with `anonymous: viewer`; what a secret is called already helps an attacker.
  sendJson(response, options.auth.isKnown(request) ? rules : { ...rules, secrets: null });
}

async function sendWhy(options: ApiOptions, request: Request, response: Response): Promise<void> {
  const sha = queryText(request, "sha");
  const queried = await queryRepo(options.ledger, request);
  if (queried.kind === "any" || sha === undefined)
    throw new Problem(400, "Both repo and sha are needed: /api/v1/why?repo=<owner>/<name>&sha=<commit>.");
  requireSha(sha);
  if (queried.kind === "unknown") return sendJson(response, unknownRepo(options, queried.name, sha));
  const repoId = queried.repo.id;
  sendJson(response, await whyOf(options.ledger, repoId, await resolveShaOfRepo(options.ledger, repoId, sha)));
}

function unknownRepo(options: ApiOptions, repo: string, sha: Sha): Why {
  return { repo, sha, state: "unknown", because: whyNoRepo(repo, options.isConfigured(repo)), events: [] };
}
