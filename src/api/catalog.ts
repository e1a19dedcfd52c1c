import { Router } from "express";
import * as z from "zod";
import { shortRef } from "../delivery/refs.ts";
import {
  type CatalogEntry,
  catalogOfRepos,
  catalogPosition,
  listCatalog,
  pageOfRepos,
  repoPosition,
} from "../ledger/catalog.ts";
import { iso, repoNames } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { writeCursor } from "../ledger/page.ts";
import type { Release } from "../ledger/releases.ts";
import type { KnownRepo } from "../ledger/repos.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { inBatches } from "./batches.ts";
import type { ApiOptions } from "./options.ts";
import { pageJson } from "./page-json.ts";
import { repoFilter } from "./queried-repo.ts";
import { artifactName, paging, repoName, searchText } from "./query.ts";
import { type Route, route, serveRoute } from "./route.ts";
import { artifactSchema, pageOf, repoSchema } from "./schemas.ts";
import { sendJson, sendJsonText } from "./send-json.ts";

const repos = route({
  method: "get",
  path: "/api/v1/repos",
  summary: "List repos, those that deliverd heard of last first, with their artifacts.",
  access: "reader",
  query: z.object({ q: searchText.optional(), repo: repoName.optional(), ...paging }),
  answer: { status: 200, content: pageOf(repoSchema) },
  problems: [409],
});
const artifacts = route({
  method: "get",
  path: "/api/v1/artifacts",
  summary: "List the artifacts that have a release, with what stands on each branch.",
  access: "reader",
  query: z.object({ repo: repoName.optional(), artifact: artifactName.optional(), ...paging }),
  answer: { status: 200, content: pageOf(artifactSchema) },
  problems: [409],
});

export const CATALOG_ROUTES: Route[] = [repos, artifacts];

/** /api/v1/repos and /api/v1/artifacts. */
export function catalogRoutes({ ledger, auth }: ApiOptions, limits: ConcurrencyLimits): Router {
  const router = Router({ caseSensitive: true, strict: true });
  serveRoute(router, auth, repos, limits.queries, async (_request, response, { q, repo, cursor, limit }) => {
    const filter = await repoFilter(ledger, repo);
    if (filter === null) return sendJson(response, { items: [], next: null });
    const page = await pageOfRepos(ledger, { text: q?.toLowerCase(), repoId: filter.repoId, cursor, limit });
    const view = inBatches(page.items, (some) => repoViews(ledger, some));
    sendJsonText(response, await pageJson(page, view, (row) => writeCursor(repoPosition(row))));
  });
  serveRoute(router, auth, artifacts, limits.queries, async (_request, response, { repo, artifact, cursor, limit }) => {
    const filter = await repoFilter(ledger, repo);
    if (filter === null) return sendJson(response, { items: [], next: null });
    const page = await listCatalog(ledger, { repoId: filter.repoId, artifact, cursor, limit });
    const names = await repoNames(
      ledger,
      page.items.map(({ repoId }) => repoId),
    );
    const view = async (entry: CatalogEntry) => {
      return { ...artifactView(entry), repo: names.get(entry.repoId) ?? entry.repoId };
    };
    sendJsonText(response, await pageJson(page, view, (row) => writeCursor(catalogPosition(row))));
  });
  return router;
}

async function repoViews(ledger: Ledger, repos: KnownRepo[]) {
  const entries = await catalogOfRepos(
    ledger,
    repos.map(({ id }) => id),
  );
  return repos.map(({ id, host, owner, name, defaultBranch, createdAt }) => ({
    ...{ repo: `${host}/${owner}/${name}`, defaultBranch, createdAt: iso(createdAt) },
    artifacts: entries.filter(({ repoId }) => repoId === id).map(artifactView),
  }));
}

function artifactView({ artifact, newest, latest, branches }: CatalogEntry) {
  return {
    ...{ artifact, kind: newest.kind, newest: standingView(newest) },
    latest: latest === null ? null : standingView(latest),
    branches: branches.map(({ ref, release }) => ({ branch: shortRef(ref), release: standingView(release) })),
  };
}

/** What a catalog says of a release. */
export function standingView({ id, version, sha, digest, committedAt, releasedAt }: Release) {
  return { id, version, sha, digest, committedAt: iso(committedAt), releasedAt: iso(releasedAt) };
}
