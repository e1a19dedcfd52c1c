import { type Request, type Response, Router } from "express";
import * as z from "zod";
import { BRANCHES } from "../delivery/refs.ts";
import { releaseView } from "../delivery/release-view.ts";
import { rangeIntervals } from "../delivery/version-order.ts";
import { describeReleases } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { writeCursor } from "../ledger/page.ts";
import { proofStates } from "../ledger/proofs.ts";
import { listReleases, type Release } from "../ledger/releases.ts";
import { resolveText } from "../ledger/search-text.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { inBatches } from "./batches.ts";
import { sendContent } from "./content.ts";
import { requireRelease } from "./find-releases.ts";
import type { ApiOptions } from "./options.ts";
import { pageJson } from "./page-json.ts";
import { repoFilter } from "./queried-repo.ts";
import {
  artifactName,
  branchName,
  paging,
  registryKey,
  repoName,
  searchText,
  shaPrefix,
  timeOf,
  versionRange,
} from "./query.ts";
import { type Route, route, serveRoute } from "./route.ts";
import { pageOf, releaseSchema } from "./schemas.ts";
import { sendJson, sendJsonText } from "./send-json.ts";
import { resolveShaInList } from "./short-sha.ts";

export const RELEASE_QUERY = z.object({
  q: searchText.optional(),
  repo: repoName.optional(),
  artifact: artifactName.optional(),
  branch: branchName.optional(),
  version: versionRange.optional(),
  sha: shaPrefix.optional(),
  since: timeOf("since").optional(),
  until: timeOf("until").optional(),
  ...paging,
});

type ReleaseQuery = z.output<typeof RELEASE_QUERY>;

const list = route({
  method: "get",
  path: "/api/v1/releases",
  summary: "List releases, newest first. A page may be short although there are more.",
  access: "reader",
  query: RELEASE_QUERY,
  answer: { status: 200, content: pageOf(releaseSchema) },
  problems: [404, 409],
});
const show = route({
  method: "get",
  path: "/api/v1/releases/:artifact/:version",
  summary: "Show a release. `latest` works as the version.",
  access: "reader",
  query: z.object({ repo: repoName.optional() }),
  answer: { status: 200, content: releaseSchema },
  problems: [404, 409],
});
const content = route({
  method: "get",
  path: "/api/v1/releases/:artifact/:version/content",
  summary: "Fetch the bytes of a release.",
  access: "reader",
  query: z.object({ repo: repoName.optional(), registry: registryKey.optional() }),
  answer: { status: 200, content: ["application/octet-stream", "application/x-tar"] },
  problems: [404, 409, 416, 502],
});

export const RELEASE_ROUTES: Route[] = [list, show, content];

/** /api/v1/releases. */
export function releaseRoutes(options: ApiOptions, limits: ConcurrencyLimits): Router {
  const { ledger, auth } = options;
  const router = Router({ caseSensitive: true, strict: true });
  serveRoute(router, auth, list, limits.queries, (_request, response, query) => sendList(ledger, response, query));
  serveRoute(router, auth, show, limits.queries, async (request, response, { repo }) => {
    const [view] = await viewsOf(ledger, [await requireRelease(options, named(request), repo)]);
    sendJson(response, view ?? {});
  });
  serveRoute(router, auth, content, limits.downloads, async (request, response, { repo }) => {
    await sendContent(options, await requireRelease(options, named(request), repo), request, response);
  });
  return router;
}

function named(request: Request): { artifact: string; version: string } {
  return { artifact: String(request.params.artifact), version: String(request.params.version) };
}

async function sendList(ledger: Ledger, response: Response, query: ReleaseQuery): Promise<void> {
  const page = await findReleasePage(ledger, query);
  const cursorAfter = ({ releasedAt, id }: Release) => writeCursor({ at: releasedAt, id });
  const view = inBatches(page.items, (some) => viewsOf(ledger, some));
  sendJsonText(response, await pageJson(page, view, cursorAfter));
}

/** A page of the releases that a query names. @throws Problem 404 or 409 of a repo or a short sha */
export async function findReleasePage(ledger: Ledger, query: ReleaseQuery) {
  const { artifact, branch, sha: short, version, since, until, q, cursor, limit } = query;
  const filter = await repoFilter(ledger, query.repo);
  const none = { items: [], next: null };
  if (filter === null) return none;
  const sha = short && (await resolveShaInList(ledger, "releases", short, filter.repoId));
  const text = q === undefined ? undefined : await resolveText(ledger, q);
  if (text === null) return none;
  return listReleases(ledger, {
    ...{ ...filter, artifact, sha, text, cursor, limit },
    ref: branch === undefined ? undefined : BRANCHES + branch,
    versions: version === undefined ? undefined : (rangeIntervals(version) ?? []),
    since: since === undefined ? undefined : Date.parse(since),
    until: until === undefined ? undefined : Date.parse(until),
  });
}

async function viewsOf(ledger: Ledger, releases: readonly Release[]) {
  const proofs = await proofStates(
    ledger,
    releases.map(({ id }) => id),
  );
  const described = await describeReleases(ledger, releases);
  return described.map((release) => ({ ...releaseView(release), proof: proofs.get(release.id) ?? "none" }));
}
