import express, { type Request, type Response, Router } from "express";
import * as z from "zod";
import { Semaphore } from "../async/semaphore.ts";
import { isFullSha } from "../delivery/sha.ts";
import type { Sha } from "../delivery/types.ts";
import { type Delivery, getDelivery, listDeliveries } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { writeCursor } from "../ledger/page.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import { actorOf } from "./actor.ts";
import { inBatches } from "./batches.ts";
import { cancelDelivery, noDelivery, requestDelivery, retryFailed } from "./change-delivery.ts";
import { deliveryView, deliveryViews } from "./delivery-view.ts";
import { createFollow } from "./follow.ts";
import { sendLogEvents, sendLogText } from "./log.ts";
import type { ApiOptions } from "./options.ts";
import { pageJson } from "./page-json.ts";
import { findOneRepo, repoFilter } from "./queried-repo.ts";
import { deliveryState, paging, repoName, shaPrefix } from "./query.ts";
import { type Handler, type Route, route, serveRoute } from "./route.ts";
import { acceptedSchema, commitRequest, deliverySchema, pageOf } from "./schemas.ts";
import { sendJson, sendJsonText } from "./send-json.ts";
import { requireSha, resolveShaInList, resolveShaOfRepo } from "./short-sha.ts";

const list = route({
  method: "get",
  path: "/api/v1/deliveries",
  summary: "List deliveries, newest first.",
  access: "reader",
  query: z.object({
    repo: repoName.optional(),
    sha: shaPrefix.optional(),
    state: deliveryState.optional(),
    ...paging,
  }),
  answer: { status: 200, content: pageOf(deliverySchema) },
  problems: [404, 409],
});
const request = route({
  method: "post",
  path: "/api/v1/deliveries",
  summary: "Ask deliverd to look at a commit. Its gate still holds.",
  access: "operator",
  query: z.object({}),
  body: commitRequest,
  answer: { status: 202, content: acceptedSchema },
  problems: [404, 409],
});
const show = route({
  method: "get",
  path: "/api/v1/deliveries/:id",
  summary: "Show a delivery.",
  access: "reader",
  query: z.object({}),
  answer: { status: 200, content: deliverySchema },
  problems: [404],
});
const log = route({
  method: "get",
  path: "/api/v1/deliveries/:id/log",
  summary: "Read the log of a delivery, up to now or live.",
  access: "reader",
  query: z.object({}),
  answer: { status: 200, content: ["text/plain", "text/event-stream"] },
  problems: [404],
});
const cancel = route({
  method: "post",
  path: "/api/v1/deliveries/:id/cancel",
  summary: "Stop a delivery.",
  access: "operator",
  query: z.object({}),
  answer: { status: 202, content: deliverySchema },
  problems: [404, 409],
});
const retry = route({
  ...cancel,
  method: "post",
  path: "/api/v1/deliveries/:id/retry",
  summary: "Try a delivery again that ended.",
});

export const DELIVERY_ROUTES: Route[] = [list, request, show, log, cancel, retry];

/** /api/v1/deliveries. */
export function deliveryRoutes(options: ApiOptions, limits: ConcurrencyLimits): Router {
  const { ledger, auth } = options;
  const router = Router({ caseSensitive: true, strict: true });
  serveRoute(router, auth, list, limits.queries, async (_request, response, query) => {
    const { sha: short, state, cursor, limit } = query;
    const filter = await repoFilter(ledger, query.repo);
    if (filter === null) return sendJson(response, { items: [], next: null });
    const sha = short && (await resolveShaInList(ledger, "deliveries", short, filter.repoId));
    const page = await listDeliveries(ledger, { ...filter, sha, state, cursor, limit });
    const cursorAfter = ({ createdAt, id }: Delivery) => writeCursor({ at: createdAt, id });
    const view = inBatches(page.items, (some) => deliveryViews(ledger, some));
    sendJsonText(response, await pageJson(page, view, cursorAfter));
  });
  const body = express.json({ limit: "16kb", inflate: false });
  serveRoute(router, auth, request, limits.commitRequests, (asked, response) => accept(options, asked, response), [
    body,
  ]);
  serveRoute(router, auth, show, limits.queries, async (asked, response) => {
    sendJson(response, await deliveryView(ledger, await requireDelivery(ledger, asked)));
  });
  const change =
    (work: typeof cancelDelivery): Handler<Record<never, never>> =>
    async (asked, response) => {
      const delivery = await requireDelivery(ledger, asked);
      const changed = await work(options, delivery, actorOf(auth, asked));
      sendJson(response, await deliveryView(ledger, changed), 202);
    };
  serveRoute(router, auth, cancel, limits.queries, change(cancelDelivery));
  serveRoute(router, auth, retry, limits.queries, change(retryFailed));
  const sources = { ledger, turns: new Semaphore(), follow: createFollow(ledger) };
  const isStream = (asked: Request) => asked.accepts(["text/plain", "text/event-stream"]) === "text/event-stream";
  const limitOfLog = (asked: Request) => (isStream(asked) ? limits.logStreams : limits.downloads);
  serveRoute(router, auth, log, limitOfLog, async (asked, response) => {
    const { id } = await requireDelivery(ledger, asked);
    await (isStream(asked) ? sendLogEvents : sendLogText)(sources, id, asked, response);
  });
  return router;
}

async function accept(options: ApiOptions, asked: Request, response: Response): Promise<void> {
  const body = commitRequest.safeParse(asked.body ?? {});
  if (!body.success)
    throw new Problem(400, 'The body must be {"repo": "<owner>/<name>", "sha": "<commit id, 7 digits or more>"}.');
  const { repo, sha } = body.data;
  requireSha(sha);
  const full = isFullSha(sha) ? sha : await resolveAskedSha(options.ledger, repo, sha);
  await requestDelivery(options, { repo, sha: full }, actorOf(options.auth, asked));
  const because = "the commit will be evaluated like any other: it is delivered if its gate lets it pass";
  sendJson(response, { status: "accepted", because, sha: full }, 202);
}

/** @throws Problem 404 or 409 if a short sha does not name one commit that is known */
async function resolveAskedSha(ledger: Ledger, name: string, sha: string): Promise<Sha> {
  const repo = await findOneRepo(ledger, name);
  if (repo === null)
    throw new Problem(404, `No webhook named the repo ${name} yet, so a short sha is not enough: write all digits.`);
  return resolveShaOfRepo(ledger, repo.id, sha);
}

async function requireDelivery(ledger: Ledger, asked: Request): Promise<Delivery> {
  const id = String(asked.params.id);
  const delivery = await getDelivery(ledger, id);
  if (delivery === null) throw noDelivery(id);
  return delivery;
}
