import { Router } from "express";
import * as z from "zod";
import { TransientError } from "../delivery/errors.ts";
import type { ComparedCommit } from "../git/compare.ts";
import { iso, repoName as nameOfRepo } from "../ledger/describe-release.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import { standingView } from "./catalog.ts";
import { requireRelease } from "./find-releases.ts";
import type { ApiOptions } from "./options.ts";
import { repoName } from "./query.ts";
import { type Route, route, serveRoute } from "./route.ts";
import { diffSchema } from "./schemas.ts";
import { sendJson } from "./send-json.ts";

const diff = route({
  method: "get",
  path: "/api/v1/releases/:artifact/:from..:to",
  summary: "Show what changed from one release to another. `latest` works as a version.",
  access: "reader",
  query: z.object({ repo: repoName.optional() }),
  answer: { status: 200, content: diffSchema },
  problems: [404, 409],
});

export const DIFF_ROUTES: Route[] = [diff];

export function diffRoutes(options: ApiOptions, limits: ConcurrencyLimits): Router {
  const router = Router({ caseSensitive: true, strict: true });
  serveRoute(router, options.auth, diff, limits.comparisons, async (request, response, { repo }) => {
    const { artifact, from, to } = request.params;
    sendJson(response, await diffOf(options, String(artifact), [String(from), String(to)], repo));
  });
  return router;
}

export type Diff = z.output<typeof diffSchema>;

/**
 * What changed from one release of an artifact to another.
 * @param repo as a person writes it; undefined: any that has both
 * @throws Problem 404 or 409 of a release
 */
async function diffOf(
  { ledger, isConfigured, compareCommits }: Pick<ApiOptions, "ledger" | "isConfigured" | "compareCommits">,
  artifact: string,
  [a, b]: readonly [string, string],
  repo: string | undefined,
): Promise<Diff> {
  const from = await requireRelease({ ledger, isConfigured }, { artifact, version: a }, repo);
  const name = await nameOfRepo(ledger, from.repoId);
  const to = await requireRelease({ ledger, isConfigured }, { artifact, version: b }, name);
  const compared = await compareCommits(from.repoId, from.sha, to.sha).catch((error: unknown) => {
    if (error instanceof TransientError) throw new Problem(503, `${error.message}. Ask again.`, { "retry-after": "5" });
    throw error;
  });
  return {
    ...{ artifact, repo: name, from: standingView(from), to: standingView(to) },
    sameContent: from.digest === to.digest,
    commits: compared?.commits.map(commitView) ?? null,
    commitsBack: compared?.commitsBack.map(commitView) ?? null,
    files: compared?.files ?? null,
    isCut: compared?.isCut ?? false,
  };
}

function commitView({ sha, subject, author, at }: ComparedCommit) {
  return { sha, subject, author, at: iso(at) };
}
