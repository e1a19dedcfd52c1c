import type { Request, RequestHandler, Response } from "express";
import { withTimeout } from "../async/with-timeout.ts";
import { quoted } from "../delivery/printable.ts";
import { BadSignature, type Host, type HostRepo, MalformedWebhook, type WebhookReading } from "../hosts/host.ts";
import type { NewHint } from "../ledger/hints.ts";
import type { NewOrder } from "../ledger/orders.ts";
import type { Log } from "../observe/log.ts";
import { RepeatedLog } from "../observe/repeated-log.ts";
import { SampledLog } from "../observe/sampled-log.ts";
import { clientAddress } from "./client-address.ts";
import { type Inbox, InboxFull } from "./inbox.ts";
import { Problem, sendProblem } from "./problem.ts";
import { Aborted, type BodyReader, createBodyReader, discardRest } from "./read-body.ts";

export interface WebhookOptions {
  /** By their key under `hosts`, which is the last part of the path. */
  hosts: Map<string, Host>;
  /** Whether `repos` in the server's configuration allows this repo. */
  accepts(host: string, owner: string, name: string): boolean;
  inbox: Inbox;
  /** Resolves when the orders of people are committed. Few come, so they need no group commit. */
  keepOrders(orders: NewOrder[]): Promise<void>;
  /**
   * Called with committed hints, to queue them. Its errors do not change the answer: the sweep queues what is missing.
   * @param startedAt when the request came, in ms since the epoch
   */
  onHints(hints: NewHint[], startedAt: number): void;
  /** Called for every answer, for the metrics. */
  onAnswer?(host: string, status: number): void;
  log: Log;
  /** 25 MB if left out, which is the most that GitHub sends. */
  maxBodyBytes?: number;
  /** The time for a whole body; 30 s if left out. */
  bodyTimeoutMs?: number;
  /** The time for the commit; 9 s if left out, because GitHub gives up after 10 s. */
  commitTimeoutMs?: number;
}

export type WebhookAnswer = { status: "accepted" | "ignored"; because: string };

/**
 * POST /webhooks/<host>: verifies the signature, normalises the event, commits it to the inbox and answers 202. If
 * several answers are possible, the first of these is given: 404, 405, 415, 413, 408, 401, 400, 503, 202.
 */
export function webhookRoute(options: WebhookOptions): RequestHandler {
  const { maxBodyBytes = 25 * 1024 * 1024, bodyTimeoutMs = 30_000 } = options;
  const readBody = createBodyReader({ maxBodyBytes, bodyTimeoutMs });
  const keep = createKeeper(options);
  const refusals = new SampledLog(options.log, "refused webhooks");
  // A plain handler and plain answers: Express's router and `response.json` would cost more than all the rest.
  return async (request, response, next) => {
    const key = hostKey(request.path);
    if (key === null) return next();
    try {
      const answer = JSON.stringify(await receive(options, { readBody, keep }, key, request));
      response.writeHead(202, { ...JSON_TYPE, "content-length": Buffer.byteLength(answer) }).end(answer);
    } catch (error) {
      if (error instanceof Aborted) return;
      refuse(options.log, refusals, key, request, response, error);
      discardRest(request, Math.min(bodyTimeoutMs, 5_000));
    } finally {
      if (response.headersSent) options.onAnswer?.(options.hosts.has(key) ? key : "unknown", response.statusCode);
    }
  };
}

const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };

/** The host in /webhooks/<host>, with or without a slash at the end; null for other paths. @throws Problem 400 */
function hostKey(path: string): string | null {
  const [, part] = /^\/webhooks\/([^/]+)\/?$/.exec(path) ?? [];
  if (part === undefined) return null;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Problem(400, "The request cannot be understood.");
  }
}

interface Steps {
  readBody: BodyReader;
  keep(kept: Kept): Promise<void>;
}

/** What a webhook says of repos that `repos` allows. */
interface Kept {
  hints: NewHint[];
  orders: NewOrder[];
}

async function receive(
  options: WebhookOptions,
  { readBody, keep }: Steps,
  key: string,
  request: Request,
): Promise<WebhookAnswer> {
  const startedAt = Date.now();
  const host = options.hosts.get(key);
  if (host === undefined) throw new Problem(404, `No host ${quoted(key)} is configured: send to /webhooks/<key>.`);
  checkRequest(request);
  const body = await readBody(request);
  const reading = await host.readHints({ headers: request.headers, body });
  const kept = acceptedOf(options, key, reading);
  if ("ignored" in kept) return { status: "ignored", because: kept.ignored };
  await keep(kept);
  queue(options, kept.hints, startedAt);
  return { status: "accepted", because: saidOf(kept) };
}

function saidOf({ hints, orders }: Kept): string {
  return [
    ...hints.map((hint) => `${hint.event} is in the inbox`),
    ...orders.map(({ action, person }) => `what ${person} asked for (${action}) is in the inbox`),
  ].join(", ");
}

function checkRequest(request: Request): void {
  if (request.method !== "POST") throw new Problem(405, "Webhooks are sent by POST.", { allow: "POST" });
  const [type = ""] = (request.headers["content-type"] ?? "").split(";");
  if (type.trim().toLowerCase() !== "application/json") {
    throw new Problem(415, "Only application/json is taken: choose it as the webhook's content type.");
  }
  if ((request.headers["content-encoding"] ?? "identity").toLowerCase() !== "identity") {
    throw new Problem(415, "A compressed body is not taken.", { "accept-encoding": "identity" });
  }
}

function acceptedOf(options: WebhookOptions, host: string, reading: WebhookReading): Kept | { ignored: string } {
  if ("ignored" in reading) return reading;
  const { hints, orders = [] } = reading;
  const isAccepted = ({ repo }: { repo: HostRepo }) => options.accepts(host, repo.owner, repo.name);
  const kept = {
    hints: hints.filter(isAccepted).map(({ repo, ...rest }) => ({ ...rest, repo: seenRepo(host, repo) })),
    orders: orders.filter(isAccepted).map(({ repo, ...rest }) => ({ ...rest, repo: seenRepo(host, repo) })),
  };
  if (kept.hints.length + kept.orders.length > 0) return kept;
  const names = new Set([...hints, ...orders].map(({ repo }) => `${host}/${repo.owner}/${repo.name}`));
  return { ignored: `${[...names].join(", ")} is not in 'repos' of the server configuration` };
}

function seenRepo(host: string, { hostId, owner, name, defaultBranch }: HostRepo): NewHint["repo"] {
  return { id: `${host}:${hostId}`, host, owner, name, defaultBranch };
}

/**
 * Creates a function that commits hints and orders, or throws Problem 503 if that takes too long. A commit that succeeds later
 * does no harm: the host sends the webhook again, and both may repeat.
 */
function createKeeper(options: WebhookOptions): (kept: Kept) => Promise<void> {
  const { inbox, keepOrders, log, commitTimeoutMs = 9_000 } = options;
  const failures = new RepeatedLog((facts) =>
    log.error("A webhook could not be kept: the ledger does not take it", facts),
  );
  return async ({ hints, orders }) => {
    try {
      if (orders.length > 0) await withTimeout(commitTimeoutMs, keepOrders(orders), "not committed");
      if (hints.length > 0) await withTimeout(commitTimeoutMs, inbox.add(hints), "not committed");
    } catch (error) {
      const isFull = error instanceof InboxFull;
      failures.add(isFull ? "full" : "failed", { error });
      const detail = isFull ? "Too many webhooks wait for the ledger." : "The ledger cannot store this now.";
      throw new Problem(503, `${detail} Send it again.`, { "retry-after": "30" });
    }
  };
}

function queue({ onHints, log }: WebhookOptions, hints: NewHint[], startedAt: number): void {
  try {
    onHints(hints, startedAt);
  } catch (error) {
    log.warn("Hints are kept, but could not be queued: the sweep will", { error });
  }
}

function refuse(
  log: Log,
  refusals: SampledLog,
  host: string,
  request: Request,
  response: Response,
  error: unknown,
): void {
  const answer = (status: number, message: string, headers?: Record<string, string>): void => {
    const facts = { host, status, from: clientAddress(request), request: hostsRequestId(request) };
    refusals.warn(`A webhook for '${host}' was refused: ${message}`, facts);
    sendProblem(response, status, message, headers);
  };
  if (error instanceof Problem) {
    if (error.status === 408) response.set("connection", "close");
    answer(error.status, error.message, error.headers);
  } else if (error instanceof BadSignature) {
    answer(401, error.message);
  } else if (error instanceof MalformedWebhook) {
    answer(400, error.message);
  } else {
    log.error(`A webhook for '${host}' met a bug`, { error });
    sendProblem(response, 500, "Something went wrong in deliverd. Its log has the reason.");
  }
}

/** By which a host shows one request in its list of deliveries: GitHub, GitLab, Gitea, Bitbucket, Standard Webhooks. */
const REQUEST_ID_HEADERS = [
  "x-github-delivery",
  "x-gitlab-event-uuid",
  "x-gitea-delivery",
  "x-request-uuid",
  "x-request-id",
  "webhook-id",
];
/** Characters. The sender is not verified. */
const MAX_REQUEST_ID = 100;

function hostsRequestId({ headers }: Request): string | undefined {
  const found = REQUEST_ID_HEADERS.map((name) => headers[name]).find((value) => value !== undefined);
  return found === undefined ? undefined : String(found).slice(0, MAX_REQUEST_ID);
}
