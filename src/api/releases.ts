import { type Request, type Response, Router } from "express";
import { quoted } from "../delivery/printable.ts";
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
import { queryCursor, queryLimit, queryRepo, queryText, repoFilter, requireKnownQuery } from "./query.ts";
import { sendJson, sendJsonText } from "./send-json.ts";
import { requireSha, resolveShaInList } from "./short-sha.ts";
import { whyNoRepo } from "./why-unknown.ts";

/** /api/v1/releases. */
export function releaseRoutes(options: ApiOptions, limits: ConcurrencyLimits): Router {
  const { ledger, auth } = options;
  const router = Router({ caseSensitive: true, strict: true });
  router.get(
    "/api/v1/releases",
    auth.reader,
    requireKnownQuery("repo", "artifact", "sha", "branch", "cursor", "limit"),
    limits.queries.handler((request, response) => sendList(ledger, request, response)),
  );
  router.get(
    "/api/v1/releases/:artifact/:version",
    auth.reader,
    requireKnownQuery("repo"),
    limits.queries.handler(async (request, response) => {
      sendJson(response, await viewOf(ledger, await requireRelease(options, request)));
    }),
  );
  router.get(
    "/api/v1/releases/:artifact/:version/content",
    auth.reader,
    requireKnownQuery("repo", "registry"),
    limits.downloads.handler(async (request, response) => {
      await sendContent(options, await requireRelease(options, request), request, response);
    }),
  );
  return router;
}

async function sendList(ledger: Ledger, request: Request, response: Response): Promise<void> {
  const filter = repoFilter(await queryRepo(ledger, request));
  const branch = queryText(request, "branch");
  const artifact = queryText(request, "artifact");
  const short = queryText(request, "sha");
  if (short !== undefined) requireSha(short);
  const cursor = queryCursor(request);
  const limit = queryLimit(request);
  if (filter === null) return sendJson(response, { items: [], next: null });
  const sha = short && (await resolveShaInList(ledger, "releases", short, filter.repoId));
  const ref = branch === undefined ? undefined : BRANCHES + branch;
  const page = await listReleases(ledger, { ...filter, artifact, sha, ref, cursor, limit });
  const cursorAfter = ({ releasedAt, id }: Release) => writeCursor({ at: releasedAt, id });
  sendJsonText(response, await pageJson(page, (each) => viewOf(ledger, each), cursorAfter));
}

async function viewOf(ledger: Ledger, release: Release): Promise<ReleaseView> {
  return releaseView(await describeRelease(ledger, release));
}

/** @throws Problem 404 if there is no such release, 409 if several repos have one */
async function requireRelease({ ledger, isConfigured }: ApiOptions, request: Request): Promise<Release> {
  const queried = await queryRepo(ledger, request);
  if (queried.kind === "unknown") {
    const { name } = queried;
    throw new Problem(404, `There is no repo ${quoted(name)} here: ${whyNoRepo(name, isConfigured(name))}.`);
  }
  const repoId = queried.kind === "one" ? queried.repo.id : undefined;
  const { artifact, version } = request.params;
  const found = await findReleasesByVersion(ledger, String(artifact), String(version), repoId);
  const [only, ...others] = found;
  if (only === undefined) throw new Problem(404, noRelease(String(artifact), String(version)));
  if (others.length > 0) {
    const candidates = await Promise.all(found.map((each) => describeRelease(ledger, each)));
    const repos = candidates.map((each) => each.repo).join(", ");
    const detail = `Several repos have a release ${artifact} ${version}. Choose one with ?repo=: ${repos}.`;
    throw new Problem(409, detail, {}, { candidates: candidates.map(({ repo, sha }) => ({ repo, sha })) });
  }
  return (await getRelease(ledger, only.id)) ?? only;
}

function noRelease(artifact: string, version: string): string {
  const name = JSON.stringify(artifact);
  const what =
    version === "latest"
      ? `${name} has no latest release: deliverd released nothing of it, or not its highest version.`
      : `${name} has no release ${JSON.stringify(version)}.`;
  return `${what} List its releases with ?artifact=, or with deliverd releases --artifact.`;
}
