import { type Request, type Response, Router } from "express";
import { BRANCHES } from "../delivery/refs.ts";
import { type ReleaseView, releaseView } from "../delivery/release-view.ts";
import { describeRelease } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { writeCursor } from "../ledger/page.ts";
import { getRelease, listReleases, type Release } from "../ledger/releases.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import { sendContent } from "./content.ts";
import { findReleasesByVersion } from "./find-releases.ts";
import type { ApiOptions } from "./options.ts";
import { pageJson } from "./page-json.ts";
import { queryLimit, queryRepo, queryText, repoFilter } from "./query.ts";
import { sendJson, sendJsonText } from "./send-json.ts";

/** /api/v1/releases. */
export function releaseRoutes(options: ApiOptions, limits: ConcurrencyLimits): Router {
  const { ledger, auth } = options;
  const router = Router({ caseSensitive: true, strict: true });
  router.get(
    "/api/v1/releases",
    auth.reader,
    limits.queries.handler((request, response) => sendList(ledger, request, response)),
  );
  router.get(
    "/api/v1/releases/:artifact/:version",
    auth.reader,
    limits.queries.handler(async (request, response) => {
      sendJson(response, await viewOf(ledger, await requireRelease(ledger, request)));
    }),
  );
  router.get(
    "/api/v1/releases/:artifact/:version/content",
    auth.reader,
    limits.downloads.handler(async (request, response) => {
      await sendContent(options, await requireRelease(ledger, request), request, response);
    }),
  );
  return router;
}

async function sendList(ledger: Ledger, request: Request, response: Response): Promise<void> {
  const filter = repoFilter(await queryRepo(ledger, request));
  if (filter === null) return sendJson(response, { items: [], next: null });
  const branch = queryText(request, "branch");
  const page = await listReleases(ledger, {
    ...filter,
    artifact: queryText(request, "artifact"),
    sha: queryText(request, "sha"),
    ref: branch === undefined ? undefined : BRANCHES + branch,
    cursor: queryText(request, "cursor"),
    limit: queryLimit(request),
  });
  const cursorAfter = ({ releasedAt, id }: Release) => writeCursor({ at: releasedAt, id });
  sendJsonText(response, await pageJson(page, (each) => viewOf(ledger, each), cursorAfter));
}

async function viewOf(ledger: Ledger, release: Release): Promise<ReleaseView> {
  return releaseView(await describeRelease(ledger, release));
}

/** @throws Problem 404 if there is no such release, 409 if several repos have one */
async function requireRelease(ledger: Ledger, request: Request): Promise<Release> {
  const filter = repoFilter(await queryRepo(ledger, request));
  if (filter === null) throw new Problem(404, "There is no repo of this name.");
  const { artifact, version } = request.params;
  const found = await findReleasesByVersion(ledger, String(artifact), String(version), filter.repoId);
  const [only, ...others] = found;
  if (only === undefined) throw new Problem(404, "There is no release of this artifact and version.");
  if (others.length > 0) {
    const candidates = await Promise.all(found.map((each) => describeRelease(ledger, each)));
    const repos = candidates.map((each) => each.repo).join(", ");
    throw new Problem(409, `Several repos have such a release. Choose one with ?repo=: ${repos}.`);
  }
  return (await getRelease(ledger, only.id)) ?? only;
}
