import { Router } from "express";
import * as z from "zod";
import { type AuditEntry, listAudit } from "../ledger/audit.ts";
import { iso, repoNames } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { writeCursor } from "../ledger/page.ts";
import { listWorkers, tasksOfWorkers } from "../ledger/workers.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import type { ApiOptions } from "./options.ts";
import { pageJson } from "./page-json.ts";
import { paging } from "./query.ts";
import { type Route, route, serveRoute } from "./route.ts";
import { auditSchema, pageOf, workerSchema } from "./schemas.ts";
import { sendJson, sendJsonText } from "./send-json.ts";

const workers = route({
  method: "get",
  path: "/api/v1/workers",
  summary: "List the workers that are there, with their build slots and deliveries.",
  access: "reader",
  query: z.object({}),
  answer: { status: 200, content: pageOf(workerSchema) },
  problems: [],
});
const audit = route({
  method: "get",
  path: "/api/v1/audit",
  summary: "List what people changed, newest first.",
  access: "admin",
  query: z.object(paging),
  answer: { status: 200, content: pageOf(auditSchema) },
  problems: [],
});

export const OPERATION_ROUTES: Route[] = [workers, audit];

/** /api/v1/workers and /api/v1/audit. */
export function operationRoutes({ ledger, auth }: ApiOptions, limits: ConcurrencyLimits): Router {
  const router = Router({ caseSensitive: true, strict: true });
  serveRoute(router, auth, workers, limits.queries, async (_request, response) => {
    sendJson(response, { items: await workerViews(ledger), next: null });
  });
  serveRoute(router, auth, audit, limits.queries, async (_request, response, { cursor, limit }) => {
    const page = await listAudit(ledger, { cursor, limit });
    const names = await repoNames(
      ledger,
      page.items.flatMap(({ repoId }) => (repoId === null ? [] : [repoId])),
    );
    const view = async ({ at, person, via, action, repoId, sha, outcome }: AuditEntry) => {
      const repo = repoId === null ? null : (names.get(repoId) ?? repoId);
      return { at: iso(at), person, via, action, repo, sha, outcome };
    };
    const cursorAfter = ({ at, id }: AuditEntry) => writeCursor({ at, id: String(id) });
    sendJsonText(response, await pageJson(page, view, cursorAfter));
  });
  return router;
}

/** The workers that are there. */
export async function workerViews(ledger: Ledger) {
  const tasks = await tasksOfWorkers(ledger);
  const names = await repoNames(
    ledger,
    tasks.map(({ repoId }) => repoId),
  );
  return (await listWorkers(ledger)).map(({ owner, machine, version, slots, busy, ahead, startedAt, seenAt }) => ({
    ...{ id: owner, machine, version, startedAt: iso(startedAt), seenAt: iso(seenAt) },
    slots: { total: slots, busy, ahead, free: Math.max(0, slots - busy - ahead) },
    deliveries: tasks
      .filter((task) => task.owner === owner)
      .map(({ deliveryId, repoId, sha, state }) => ({
        ...{ id: deliveryId, repo: names.get(repoId) ?? repoId, sha, state },
      })),
  }));
}
