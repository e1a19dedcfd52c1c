import express, { type Request, type Response, Router } from "express";
import { Semaphore } from "../async/semaphore.ts";
import { quoted } from "../delivery/printable.ts";
import { isFullSha } from "../delivery/sha.ts";
import type { Sha } from "../delivery/types.ts";
import { decideByPerson } from "../ledger/by-person.ts";
import { requestCancel } from "../ledger/cancel.ts";
import { recordDecision } from "../ledger/decisions.ts";
import { type Delivery, getDelivery, listDeliveries, retryDelivery } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { writeCursor } from "../ledger/page.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import { deliveryView } from "./delivery-view.ts";
import { createFollow } from "./follow.ts";
import { sendLogEvents, sendLogText } from "./log.ts";
import type { ApiOptions } from "./options.ts";
import { pageJson } from "./page-json.ts";
import {
  findOneRepo,
  queryCursor,
  queryLimit,
  queryRepo,
  queryState,
  queryText,
  repoFilter,
  requireKnownQuery,
} from "./query.ts";
import { sendJson, sendJsonText } from "./send-json.ts";
import { requireSha, resolveShaInList, resolveShaOfRepo } from "./short-sha.ts";

/** /api/v1/deliveries. */
export function deliveryRoutes(options: ApiOptions, limits: ConcurrencyLimits): Router {
  const { ledger, auth } = options;
  const router = Router({ caseSensitive: true, strict: true });
  router.get(
    "/api/v1/deliveries",
    auth.reader,
    requireKnownQuery("repo", "sha", "state", "cursor", "limit"),
    limits.queries.handler((request, response) => sendList(ledger, request, response)),
  );
  router.post(
    "/api/v1/deliveries",
    auth.admin,
    requireKnownQuery(),
    express.json({ limit: "16kb", inflate: false }),
    limits.commitRequests.handler((request, response) => acceptRequest(options, request, response)),
  );
  router.get(
    "/api/v1/deliveries/:id",
    auth.reader,
    requireKnownQuery(),
    limits.queries.handler(async (request, response) => {
      sendJson(response, await deliveryView(ledger, await requireDelivery(ledger, request)));
    }),
  );
  const change = (work: (options: ApiOptions, delivery: Delivery) => Promise<void>) =>
    limits.queries.handler(async (request, response) => {
      await work(options, await requireDelivery(ledger, request));
      const changed = await requireDelivery(ledger, request);
      options.onDeliveryChanged(changed);
      sendJson(response, await deliveryView(ledger, changed), 202);
    });
  router.post("/api/v1/deliveries/:id/cancel", auth.admin, requireKnownQuery(), change(cancel));
  router.post("/api/v1/deliveries/:id/retry", auth.admin, requireKnownQuery(), change(retry));
  router.use(logRoute(options, limits));
  return router;
}

function logRoute({ ledger, auth }: ApiOptions, limits: ConcurrencyLimits): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const sources = { ledger, turns: new Semaphore(), follow: createFollow(ledger) };
  const sendEvents = limits.logStreams.handler(async (request, response) => {
    const { id } = await requireDelivery(ledger, request);
    await sendLogEvents(sources, id, request, response);
  });
  const sendText = limits.downloads.handler(async (request, response) => {
    const { id } = await requireDelivery(ledger, request);
    await sendLogText(sources, id, request, response);
  });
  router.get("/api/v1/deliveries/:id/log", auth.reader, requireKnownQuery(), (request, response, next) => {
    const isStream = request.accepts(["text/plain", "text/event-stream"]) === "text/event-stream";
    return (isStream ? sendEvents : sendText)(request, response, next);
  });
  return router;
}

async function sendList(ledger: Ledger, request: Request, response: Response): Promise<void> {
  const filter = repoFilter(await queryRepo(ledger, request));
  const state = queryState(request);
  const short = queryText(request, "sha");
  if (short !== undefined) requireSha(short);
  const cursor = queryCursor(request);
  const limit = queryLimit(request);
  if (filter === null) return sendJson(response, { items: [], next: null });
  const sha = short && (await resolveShaInList(ledger, "deliveries", short, filter.repoId));
  const page = await listDeliveries(ledger, { ...filter, sha, state, cursor, limit });
  const cursorAfter = ({ createdAt, id }: Delivery) => writeCursor({ at: createdAt, id });
  sendJsonText(response, await pageJson(page, (each) => deliveryView(ledger, each), cursorAfter));
}

async function acceptRequest(options: ApiOptions, request: Request, response: Response): Promise<void> {
  const { repo, sha } = (request.body ?? {}) as { repo?: unknown; sha?: unknown };
  if (typeof repo !== "string" || typeof sha !== "string") {
    throw new Problem(400, 'The body must be {"repo": "<owner>/<name>", "sha": "<commit id, 7 digits or more>"}.');
  }
  requireSha(sha);
  const full = isFullSha(sha) ? sha : await resolveAskedSha(options.ledger, repo, sha);
  await options.requestCommit(repo, full);
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

async function cancel({ ledger, statuses }: ApiOptions, { id, state, repoId, sha }: Delivery): Promise<void> {
  switch (await decideByPerson(ledger, statuses, id, (tx) => requestCancel(tx, id))) {
    case "ended":
    case "requested":
      return;
    case "too-late":
      throw new Problem(409, `A delivery that is ${state} cannot be cancelled.`);
    case "naming": {
      const because = "a person cancelled it while its names were being written: it is finished all the same";
      await recordDecision(ledger, repoId, sha, { action: "ignore", because });
      throw new Problem(
        409,
        "The names of this delivery are being written. It will be finished, so that no name is without its release. " +
          "A notice will report your request.",
      );
    }
    case "unknown":
      throw noDelivery(id);
  }
}

async function retry({ ledger, statuses }: ApiOptions, { id, state }: Delivery): Promise<void> {
  switch (await decideByPerson(ledger, statuses, id, (tx) => retryDelivery(tx, id))) {
    case "queued":
      return;
    case "impossible":
      throw new Problem(409, `A delivery that is ${state} cannot be retried.`);
    case "unknown":
      throw noDelivery(id);
  }
}

async function requireDelivery(ledger: Ledger, request: Request): Promise<Delivery> {
  const id = String(request.params.id);
  const delivery = await getDelivery(ledger, id);
  if (delivery === null) throw noDelivery(id);
  return delivery;
}

function noDelivery(id: string): Problem {
  return new Problem(404, `There is no delivery ${quoted(id)}. List those that there are with deliverd deliveries.`);
}
