import { type RequestHandler, Router } from "express";
import { createConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { CATALOG_ROUTES, catalogRoutes } from "./catalog.ts";
import { CI_ROUTE, ciRoute } from "./ci.ts";
import { COMMIT_ROUTES, commitRoutes } from "./commits.ts";
import { rejectControlCharacters } from "./control-characters.ts";
import { DELIVERY_ROUTES, deliveryRoutes } from "./deliveries.ts";
import { DIFF_ROUTES, diffRoutes } from "./diff.ts";
import { OPEN_API_ROUTE, openApiRoute } from "./openapi.ts";
import { OPERATION_ROUTES, operationRoutes } from "./operations.ts";
import type { ApiOptions } from "./options.ts";
import { PROOF_ROUTES, proofRoutes } from "./proof.ts";
import { RELEASE_ROUTES, releaseRoutes } from "./releases.ts";
import type { Route } from "./route.ts";

/** Every route of the API, for the document that describes it. */
const ROUTES: readonly Route[] = [
  ...[...DELIVERY_ROUTES, ...RELEASE_ROUTES, ...DIFF_ROUTES, ...CATALOG_ROUTES, ...COMMIT_ROUTES, ...OPERATION_ROUTES],
  ...[...PROOF_ROUTES, CI_ROUTE, OPEN_API_ROUTE],
];

/** The REST API, version 1. Every route names who may use it. */
export function apiRoute(options: ApiOptions): RequestHandler {
  const { limits = createConcurrencyLimits() } = options;
  const router = Router({ caseSensitive: true, strict: true });
  router.use("/api", rejectControlCharacters);
  // Before the release with the version `a..b`, which has the same form.
  router.use(diffRoutes(options, limits));
  for (const routes of [
    deliveryRoutes,
    releaseRoutes,
    catalogRoutes,
    ciRoute,
    commitRoutes,
    operationRoutes,
    proofRoutes,
  ])
    router.use(routes(options, limits));
  router.use(openApiRoute(options, limits, ROUTES));
  return router;
}
