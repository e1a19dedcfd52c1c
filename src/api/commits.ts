import { Router } from "express";
import * as z from "zod";
import { parseRepoPath } from "../delivery/repo-name.ts";
import { mayAct } from "../delivery/roles.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import type { ApiOptions } from "./options.ts";
import { findOneRepo } from "./queried-repo.ts";
import { repoName, shaPrefix } from "./query.ts";
import { type Route, route, serveRoute } from "./route.ts";
import { rulesSchema, whySchema } from "./schemas.ts";
import { sendJson } from "./send-json.ts";
import { resolveShaOfRepo } from "./short-sha.ts";
import { whyOf } from "./why.ts";
import { whyNoRepo } from "./why-unknown.ts";

const why = route({
  method: "get",
  path: "/api/v1/why",
  summary: "Tell what is on record about a commit. 200 for an unknown commit, too.",
  access: "reader",
  query: z.object({ repo: repoName.optional(), sha: shaPrefix.optional() }),
  answer: { status: 200, content: whySchema },
  problems: [404, 409],
});
const rules = route({
  method: "get",
  path: "/api/v1/rules",
  summary: "Show what the server allows a repo.",
  access: "reader",
  query: z.object({ repo: repoName.optional() }),
  answer: { status: 200, content: rulesSchema },
  problems: [],
});

export const COMMIT_ROUTES: Route[] = [why, rules];

/** Questions about one commit, or one repo. */
export function commitRoutes(options: ApiOptions, limits: ConcurrencyLimits): Router {
  const { ledger, auth } = options;
  const router = Router({ caseSensitive: true, strict: true });
  serveRoute(router, auth, why, limits.queries, async (_request, response, { repo: name, sha }) => {
    if (name === undefined || sha === undefined)
      throw new Problem(400, "Both repo and sha are needed: /api/v1/why?repo=<owner>/<name>&sha=<commit>.");
    const repo = await findOneRepo(ledger, name);
    if (repo !== null)
      return sendJson(response, await whyOf(ledger, repo.id, await resolveShaOfRepo(ledger, repo.id, sha)));
    const because = whyNoRepo(name, options.isConfigured(name));
    sendJson(response, { repo: name, sha, state: "unknown", because, events: [] });
  });
  serveRoute(router, auth, rules, limits.queries, async (request, response, { repo }) => {
    if (repo === undefined || parseRepoPath(repo) === null)
      throw new Problem(400, "The name of a repo is needed: /api/v1/rules?repo=<owner>/<name>.");
    const found = await options.rulesOf(repo);
    // Who may only read need not know what a secret is called: that already helps an attacker.
    const person = auth.personOf(request);
    const maySee = person !== null && mayAct(person.role, "operator");
    sendJson(response, maySee ? found : { ...found, secrets: null });
  });
  return router;
}
