import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { isObject, type Json, type JsonObject } from "./json.ts";
import { type Method, queryMistakes, requestMistakes, responseMistakes } from "./openapi.ts";
import { type Answer, failure, type Operation, operations } from "./operations.ts";
import type { Repo, State, Status } from "./state.ts";

export interface ApiRequest {
  method: string;
  /** Path and query as asked for. */
  path: string;
  authorization: "right" | "wrong" | "missing";
  /** Null: the connection was cut on purpose. */
  status: number | null;
}

export interface Fault {
  /** How many matching requests fail. Left out: 1. */
  times?: number;
  method?: string;
  /** Left out: every path. A text must occur in path and query. */
  path?: string | RegExp;
  /** `cut` ends the connection without an answer. */
  status: number | "cut";
  headers?: Record<string, string>;
  message?: string;
}

export interface Api {
  url: string;
  requests: ApiRequest[];
  violations: string[];
  faults: Fault[];
  /** Requests an hour. `used` counts all but those answered 304. */
  rateLimit: { limit: number; used: number; resetAt: number };
  /** Spoils answers before they are checked: how the stand-in's own test shows that it checks them. */
  spoil: ((template: string, body: Json) => Json) | null;
  close(): Promise<void>;
}

export interface ApiOptions {
  state: State;
  now(): number;
  onStatus(repo: Repo, sha: string, status: Status): void;
}

/** GitHub's REST API, cut to the calls of the daemon, each request and answer held against GitHub's own description. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const api: Api = {
    url: "",
    requests: [],
    violations: [],
    faults: [],
    rateLimit: { limit: 5000, used: 0, resetAt: options.now() + 3_600_000 },
    spoil: null,
    async close() {
      const gone = once(server, "close");
      server.close();
      server.closeAllConnections();
      await gone;
    },
  };
  const server = createServer((request, response) => {
    respond(api, options, request, response).catch((error: unknown) => {
      // A bug of the stand-in must not look like a GitHub that is down for a moment.
      api.violations.push(`the stand-in failed on ${request.method} ${request.url}: ${error}`);
      response.writeHead(500, { "content-type": "application/json" }).end(JSON.stringify({ message: String(error) }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the GitHub stand-in has no port");
  api.url = `http://127.0.0.1:${address.port}`;
  return api;
}

async function respond(
  api: Api,
  options: ApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const token = /^(?:bearer|token) (\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  const known = token !== undefined && options.state.tokens.has(token);
  const entry: ApiRequest = {
    method: request.method ?? "",
    path: request.url ?? "",
    authorization: request.headers.authorization === undefined ? "missing" : known ? "right" : "wrong",
    status: null,
  };
  api.requests.push(entry);
  const text = await bodyOf(request);
  const fault = takeFault(api.faults, entry);
  if (fault?.status === "cut") return void response.destroy();
  const answer =
    typeof fault?.status === "number"
      ? { ...failure(fault.status, fault.message ?? "Planted failure"), headers: fault.headers ?? {} }
      : (refusal(api, options, request, entry) ?? (await answerTo(api, options, entry, token ?? "", text)));
  entry.status = send(api, request, response, answer);
}

/** What GitHub refuses before it looks at the path. */
function refusal(api: Api, options: ApiOptions, request: IncomingMessage, entry: ApiRequest): Answer | null {
  if (!request.headers["user-agent"]) {
    return failure(
      403,
      "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
    );
  }
  if (entry.authorization === "missing") return failure(401, "Requires authentication");
  if (entry.authorization === "wrong") return failure(401, "Bad credentials");
  const limit = api.rateLimit;
  if (options.now() >= limit.resetAt) Object.assign(limit, { used: 0, resetAt: options.now() + 3_600_000 });
  if (limit.used >= limit.limit) return failure(403, "API rate limit exceeded for user ID 1.");
  return null;
}

async function answerTo(
  api: Api,
  options: ApiOptions,
  entry: ApiRequest,
  token: string,
  text: string,
): Promise<Answer> {
  const asked = `${entry.method} ${entry.path}`;
  const violation = (mistakes: string[]) => {
    api.violations.push(...mistakes.map((mistake) => `${asked}: ${mistake}`));
    return failure(500, `Not as GitHub describes it: ${mistakes.join("; ")}`);
  };
  const url = withName(options.state, new URL(entry.path, api.url));
  const match = matchOperation(entry.method, url.pathname);
  if (match === null) {
    violation([`${entry.method} on this path is not among the calls that the stand-in serves`]);
    return failure(404, "Not Found");
  }
  const { operation, params } = match;
  const { method, template } = operation;
  const mistakes = [...queryMistakes(method, template, url.searchParams), ...pageMistakes(url.searchParams)];
  const body = text === "" ? undefined : parsed(text);
  if (body === "malformed") return violation(["the body is no JSON"]) && failure(400, "Problems parsing JSON");
  if (body !== undefined || method === "POST") mistakes.push(...requestMistakes(method, template, body ?? {}));
  if (mistakes.length > 0) {
    const answer = violation(mistakes);
    return method === "POST" && mistakes.every((one) => one.includes("/state "))
      ? failure(422, "Validation Failed")
      : answer;
  }
  const repo = repoOf(options.state, params, token);
  const moved =
    template.startsWith("/repos/") && repo === null ? movedTo(api, options.state, method, params, token, url) : null;
  const missing = template.startsWith("/repos/") && repo === null ? failure(404, "Not Found") : null;
  const call = {
    ...{ state: options.state, token, url, params, repo, body: isObject(body) ? body : {} },
    now: new Date(options.now()).toISOString().replace(/\.\d+Z$/, "Z"),
    onStatus: options.onStatus,
  };
  const answer = moved ?? missing ?? (await operation.handle(call));
  if (api.spoil) answer.body = api.spoil(template, answer.body);
  const wrong = responseMistakes(method, template, answer.status, answer.body);
  return wrong.length > 0 ? violation(wrong) : answer;
}

/** `/repositories/<id>/…`, where GitHub's redirects after a rename lead, is another spelling of `/repos/<owner>/<name>/…`. */
function withName(state: State, url: URL): URL {
  const [, id, rest = ""] = /^\/repositories\/(\d+)(\/.*)?$/.exec(url.pathname) ?? [];
  const repo = id === undefined ? null : state.findById(Number(id));
  if (repo !== null) url.pathname = `/repos/${repo.owner}/${repo.name}${rest}`;
  return url;
}

function movedTo(
  api: Api,
  state: State,
  method: Method,
  params: Record<string, string>,
  token: string,
  url: URL,
): Answer | null {
  const repo = state.findMoved({ owner: params.owner ?? "", name: params.repo ?? "" });
  if (repo === null || !state.shows(repo, token)) return null;
  const rest = url.pathname.split("/").slice(4).join("/");
  const location = `${api.url}/repositories/${repo.id}${rest === "" ? "" : `/${rest}`}${url.search}`;
  const status = method === "GET" ? 301 : 307;
  return { ...failure(status, "Moved Permanently", { url: location }), headers: { location } };
}

function repoOf(state: State, params: Record<string, string>, token: string): Repo | null {
  const repo = state.find({ owner: params.owner ?? "", name: params.repo ?? "" });
  return repo !== null && state.shows(repo, token) ? repo : null;
}

const patterns = operations.map((operation) => ({ operation, pattern: patternOf(operation.template) }));

/** Refs and branches may span segments, as GitHub allows them to. */
function patternOf(template: string): RegExp {
  const source = template.replace(/\{(\w+)\}/g, (_all, name: string) =>
    ["ref", "branch", "sha"].includes(name) ? `(?<${name}>.+?)` : `(?<${name}>[^/]+)`,
  );
  return new RegExp(`^${source}$`);
}

function matchOperation(method: string, path: string): { operation: Operation; params: Record<string, string> } | null {
  for (const { operation, pattern } of patterns) {
    const groups = operation.method === method ? pattern.exec(path)?.groups : undefined;
    if (!groups) continue;
    const params = Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]);
    return { operation, params: Object.fromEntries(params) };
  }
  return null;
}

/** What the description says of pages in words only. */
function pageMistakes(query: URLSearchParams): string[] {
  const size = query.get("per_page");
  const page = query.get("page");
  return [
    ...(size !== null && (Number(size) < 1 || Number(size) > 100) ? [`per_page=${size} is not within 1 to 100`] : []),
    ...(page !== null && Number(page) < 1 ? [`page=${page} is below 1`] : []),
  ];
}

function parsed(text: string): JsonObject | Json | "malformed" {
  try {
    return JSON.parse(text);
  } catch {
    return "malformed";
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function takeFault(faults: Fault[], { method, path }: ApiRequest): Fault | null {
  const matches = (fault: Fault) =>
    (fault.method === undefined || fault.method === method) &&
    (fault.path === undefined || (typeof fault.path === "string" ? path.includes(fault.path) : fault.path.test(path)));
  const fault = faults.find(matches);
  if (fault === undefined) return null;
  fault.times = (fault.times ?? 1) - 1;
  if (fault.times <= 0) faults.splice(faults.indexOf(fault), 1);
  return fault;
}

/** Gives the status that was sent. A 304 is free of charge, as GitHub promises to authorized callers. */
function send(api: Api, request: IncomingMessage, response: ServerResponse, answer: Answer): number {
  const text = JSON.stringify(answer.body);
  const etag = `W/"${createHash("sha256").update(text).digest("hex")}"`;
  const hit = request.method === "GET" && answer.status === 200 && request.headers["if-none-match"] === etag;
  if (!hit) api.rateLimit.used++;
  const { limit, used, resetAt } = api.rateLimit;
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "x-github-media-type": "github.v3; format=json",
    "x-ratelimit-limit": limit,
    "x-ratelimit-remaining": Math.max(0, limit - used),
    "x-ratelimit-used": Math.min(limit, used),
    "x-ratelimit-reset": Math.floor(resetAt / 1000),
    "x-ratelimit-resource": "core",
    ...(request.method === "GET" && answer.status === 200
      ? { etag, "cache-control": "private, max-age=60, s-maxage=60" }
      : {}),
    ...answer.headers,
  };
  response.writeHead(hit ? 304 : answer.status, headers).end(hit ? undefined : text);
  return hit ? 304 : answer.status;
}
