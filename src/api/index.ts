import express, { type Request, type RequestHandler, type Response, Router } from "express";
import { Semaphore } from "../async/semaphore.ts";
import { printable } from "../delivery/printable.ts";
import { BRANCHES } from "../delivery/refs.ts";
import { releaseView } from "../delivery/release-view.ts";
import type { DeliveryState } from "../delivery/types.ts";
import { requestCancel } from "../ledger/cancel.ts";
import { recordDecision } from "../ledger/decisions.ts";
import { DELIVERY_STATES, type Delivery, getDelivery, listDeliveries, retryDelivery } from "../ledger/deliveries.ts";
import { describeRelease } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { writeCursor } from "../ledger/page.ts";
import { getRelease, listReleases, type Release } from "../ledger/releases.ts";
import { findRepo, type KnownRepo } from "../ledger/repos.ts";
import type { StatusParts } from "../ledger/statuses.ts";
import { type ConcurrencyLimits, createConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import { Problem } from "../receiver/problem.ts";
import type { Registry } from "../registries/registry.ts";
import type { Auth } from "./auth.ts";
import { sendContent } from "./content.ts";
import { rejectControlCharacters } from "./control-characters.ts";
import { decideByPerson } from "./decide.ts";
import { deliveryView } from "./delivery-view.ts";
import { findReleasesByVersion } from "./find-releases.ts";
import { createFollow } from "./follow.ts";
import { sendLogEvents, sendLogText } from "./log.ts";
import { pageJson } from "./page-json.ts";
import { whyOf } from "./why.ts";
import { whyNoRepo } from "./why-unknown.ts";

export interface ApiOptions {
  ledger: Ledger;
  auth: Auth;
  registries: Map<string, Registry>;
  /** Commits a hint for this commit and queues it. `repo` as a person writes it. @throws Problem where no repo is it, or may be delivered. */
  requestCommit(repo: string, sha: string): Promise<void>;
  /** Whether `repos` lets a repo in that a person writes like this. */
  isConfigured(repo: string): boolean;
  /** What statuses of commits are made of: a retry or a cancel is shown there. */
  statuses: StatusParts;
  /** Queues what follows from a retry or a cancel. */
  onDeliveryChanged(delivery: Delivery): void;
  /** What the pages take part in too. */
  limits?: ConcurrencyLimits;
}

const PAGE = 50;
const PAGE_MAX = 200;

/** REST v1 over the ledger. Everything is denied that is not named here. */
export function apiRoute(options: ApiOptions): RequestHandler {
  const { ledger, auth, limits = createConcurrencyLimits() } = options;
  const answer = (work: (request: Request, response: Response) => Promise<void>) => limits.queries.handler(work);
  const logs = { ledger, turns: new Semaphore(), follow: createFollow(ledger) };
  const router = Router({ caseSensitive: true, strict: true });
  router.use("/api", rejectControlCharacters);

  router.get(
    "/api/v1/deliveries",
    auth.reader,
    answer(async (request, response) => {
      const repo = await repoOf(ledger, text(request, "repo"));
      const state = stateOf(text(request, "state"));
      const sha = text(request, "sha");
      const cursor = text(request, "cursor");
      const limit = limitOf(text(request, "limit"));
      if (repo === null) return send(response, { items: [], next: null });
      const page = await listDeliveries(ledger, { repoId: repo?.id, sha, state, cursor, limit });
      const end = (each: Delivery) => writeCursor({ at: each.createdAt, id: each.id });
      sendText(response, await pageJson(page, (each) => deliveryView(ledger, each), end));
    }),
  );
  router.post(
    "/api/v1/deliveries",
    auth.admin,
    express.json({ limit: "16kb", inflate: false }),
    limits.commitRequests.handler(async (request, response) => {
      const { repo, sha } = (request.body ?? {}) as { repo?: unknown; sha?: unknown };
      if (typeof repo !== "string" || typeof sha !== "string" || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(sha)) {
        throw new Problem(400, 'The body must be {"repo": "<owner>/<name>", "sha": "<all digits of the commit id>"}.');
      }
      await options.requestCommit(repo, sha);
      send(
        response,
        { status: "accepted", because: "it is a hint: the commit is looked at, and holds to its gate" },
        202,
      );
    }),
  );
  router.get(
    "/api/v1/deliveries/:id",
    auth.reader,
    answer(async (request, response) => {
      send(response, await deliveryView(ledger, await requireDelivery(ledger, request)));
    }),
  );
  const followLog = limits.logStreams.handler(async (request, response) => {
    const { id } = await requireDelivery(ledger, request);
    await sendLogEvents(logs, id, request, response);
  });
  const wholeLog = limits.downloads.handler(async (request, response) => {
    await sendLogText(logs, (await requireDelivery(ledger, request)).id, request, response);
  });
  router.get("/api/v1/deliveries/:id/log", auth.reader, (request, response, next) => {
    const isLive = request.accepts(["text/plain", "text/event-stream"]) === "text/event-stream";
    return (isLive ? followLog : wholeLog)(request, response, next);
  });
  router.post(
    "/api/v1/deliveries/:id/cancel",
    auth.admin,
    answer(async (request, response) => {
      const { id, state, repoId, sha } = await requireDelivery(ledger, request);
      const answer = await decideByPerson(ledger, options.statuses, id, (tx) => requestCancel(tx, id));
      if (answer === "too-late") throw new Problem(409, `A delivery that is ${state} cannot be cancelled.`);
      if (answer === "naming") {
        const because = "a person cancelled it while its names were being written: it is finished all the same";
        await recordDecision(ledger, repoId, sha, { action: "ignore", because });
        throw new Problem(
          409,
          "The names of this delivery are being written: it is finished, so that no name stands without its release. A notice will tell of your request.",
        );
      }
      const decided = await requireDelivery(ledger, request);
      options.onDeliveryChanged(decided);
      send(response, await deliveryView(ledger, decided), 202);
    }),
  );
  router.post(
    "/api/v1/deliveries/:id/retry",
    auth.admin,
    answer(async (request, response) => {
      const { id, state } = await requireDelivery(ledger, request);
      if ((await decideByPerson(ledger, options.statuses, id, (tx) => retryDelivery(tx, id))) === "impossible")
        throw new Problem(409, `A delivery that is ${state} cannot be retried.`);
      const decided = await requireDelivery(ledger, request);
      options.onDeliveryChanged(decided);
      send(response, await deliveryView(ledger, decided), 202);
    }),
  );

  router.get(
    "/api/v1/releases",
    auth.reader,
    answer(async (request, response) => {
      const repo = await repoOf(ledger, text(request, "repo"));
      if (repo === null) return send(response, { items: [], next: null });
      const branch = text(request, "branch");
      const page = await listReleases(ledger, {
        repoId: repo?.id,
        artifact: text(request, "artifact"),
        sha: text(request, "sha"),
        ref: branch === undefined ? undefined : BRANCHES + branch,
        cursor: text(request, "cursor"),
        limit: limitOf(text(request, "limit")),
      });
      const end = (each: Release) => writeCursor({ at: each.releasedAt, id: each.id });
      sendText(response, await pageJson(page, async (each) => releaseView(await describeRelease(ledger, each)), end));
    }),
  );
  router.get(
    "/api/v1/releases/:artifact/:version",
    auth.reader,
    answer(async (request, response) => {
      send(response, releaseView(await describeRelease(ledger, await requireRelease(ledger, request))));
    }),
  );
  router.get(
    "/api/v1/releases/:artifact/:version/content",
    auth.reader,
    limits.downloads.handler(async (request, response) => {
      await sendContent(options, await requireRelease(ledger, request), request, response);
    }),
  );

  router.get(
    "/api/v1/why",
    auth.reader,
    answer(async (request, response) => {
      const name = text(request, "repo");
      const sha = text(request, "sha");
      if (name === undefined || sha === undefined)
        throw new Problem(400, "Both repo and sha are needed: /api/v1/why?repo=<owner>/<name>&sha=<commit>.");
      const repo = await repoOf(ledger, name);
      const unknown = {
        repo: name,
        sha,
        state: "unknown",
        because: whyNoRepo(name, options.isConfigured(name)),
        events: [],
      };
      send(response, repo ? await whyOf(ledger, repo.id, sha) : unknown);
    }),
  );
  return router;
}

function send(response: Response, body: object, status = 200): void {
  sendText(response.status(status), JSON.stringify(body));
}

function sendText(response: Response, json: string): void {
  response.set("cache-control", "no-store").type("json").send(printable(json));
}

/** One value of the query; given twice, it is refused rather than guessed. */
function text(request: Request, key: string): string | undefined {
  const value = request.query[key];
  if (value === undefined || typeof value === "string") return value === "" ? undefined : value;
  throw new Problem(400, `${key} is given more than once.`);
}

function stateOf(value: string | undefined): DeliveryState | undefined {
  if (value === undefined) return undefined;
  const state = DELIVERY_STATES.find((each) => each === value);
  if (state === undefined) throw new Problem(400, `state must be one of ${DELIVERY_STATES.join(", ")}.`);
  return state;
}

function limitOf(value: string | undefined): number {
  if (value === undefined) return PAGE;
  if (/^\d{1,3}$/.test(value) && Number(value) >= 1 && Number(value) <= PAGE_MAX) return Number(value);
  throw new Problem(400, `limit must be a number from 1 to ${PAGE_MAX}.`);
}

/** Undefined: none was asked for. Null: there is no such repo. */
async function repoOf(ledger: Ledger, name: string | undefined): Promise<KnownRepo | null | undefined> {
  if (name === undefined) return undefined;
  const found = await findRepo(ledger, name);
  if (found.length > 1) {
    throw new Problem(
      409,
      `Several hosts have a repo of that name: ${found.map((each) => `${each.host}/${each.owner}/${each.name}`).join(", ")}.`,
    );
  }
  return found[0] ?? null;
}

async function requireDelivery(ledger: Ledger, request: Request): Promise<Delivery> {
  const delivery = await getDelivery(ledger, String(request.params.id));
  if (delivery === null) throw new Problem(404, "There is no delivery of this id.");
  return delivery;
}

async function requireRelease(ledger: Ledger, request: Request) {
  const repo = await repoOf(ledger, text(request, "repo"));
  if (repo === null) throw new Problem(404, "There is no repo of this name.");
  const { artifact, version } = request.params;
  const found = await findReleasesByVersion(ledger, String(artifact), String(version), repo?.id);
  const [only, ...others] = found;
  if (only === undefined) throw new Problem(404, "There is no release of this artifact and version.");
  if (others.length > 0) {
    const candidates = await Promise.all(found.map((each) => describeRelease(ledger, each)));
    throw new Problem(
      409,
      `Several repos have one; ?repo= decides: ${candidates.map((each) => each.repo).join(", ")}.`,
    );
  }
  return (await getRelease(ledger, only.id)) ?? only;
}
