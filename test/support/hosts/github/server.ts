import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { answerTo, type House } from "./answer.ts";
import { jwtMistake } from "./app.ts";
import { type Answer, failure } from "./operations.ts";

export interface ApiRequest {
  method: string;
  /** Path and query as asked for. */
  path: string;
  /** Whether the token was one we know, never which. */
  authorization: "right" | "wrong" | "missing";
  /** Whose limit it counts against: a person's token, an installation of the App, or none: the App itself asked. */
  as: "token" | "installation" | "app";
  /** Null until it is answered, and for ever where the connection was cut on purpose. */
  status: number | null;
}

export interface Fault {
  /** How many matching requests fail. Left out: 1. */
  times?: number;
  method?: string;
  /** Left out: every path. A text must occur in path and query. */
  path?: string | RegExp;
  /** `cut` ends the connection without an answer, `half` in the middle of an answer whose first half is an empty list. */
  status: number | "cut" | "half";
  headers?: Record<string, string>;
  message?: string;
  /** True: the request has its effect, and only its answer is lost. */
  isDone?: boolean;
}

export interface Api extends House {
  requests: ApiRequest[];
  faults: Fault[];
  /** Requests an hour. `used` counts all but those answered 304. */
  rateLimit: { limit: number; used: number; resetAt: number };
  close(): Promise<void>;
}

const hour = 3_600_000;

/** GitHub's REST API, cut to the calls of the daemon, each request and answer held against GitHub's own description. */
export async function startApi(
  options: Pick<House, "state" | "now" | "onStatus" | "onPing" | "onCheckRun">,
): Promise<Api> {
  const api: Api = {
    ...options,
    url: "",
    requests: [],
    violations: [],
    faults: [],
    rateLimit: { limit: 5000, used: 0, resetAt: options.now() + hour },
    spoil: null,
    async close() {
      const gone = once(server, "close");
      server.close();
      server.closeAllConnections();
      await gone;
    },
  };
  const server = createServer((request, response) => {
    respond(api, request, response).catch((error: unknown) => {
      // A bug of the stand-in must not look like a GitHub that is down for a moment.
      api.violations.push(`the stand-in failed on ${request.method} ${request.url}: ${error}`);
      response.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the GitHub stand-in has no port");
  api.url = `http://127.0.0.1:${address.port}`;
  return api;
}

async function respond(api: Api, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { authorization } = request.headers;
  const token = /^(?:bearer|token) (\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
  const login = loginOf(api, token);
  const entry: ApiRequest = {
    method: request.method ?? "",
    path: request.url ?? "",
    authorization: authorization === undefined ? "missing" : login.mistake === null ? "right" : "wrong",
    as: login.as,
    status: null,
  };
  api.requests.push(entry);
  const text = await bodyOf(request);
  const fault = takeFault(api.faults, entry);
  const asked = { ...entry, text, token: login.as === "app" ? "" : token, isApp: login.as === "app" };
  if (fault?.isDone) await answerTo(api, asked);
  if (fault?.status === "cut") {
    response.destroy();
    return;
  }
  if (fault?.status === "half") {
    response.writeHead(200, { "content-type": "application/json", "content-length": 1000 }).write("[]");
    setImmediate(() => response.destroy());
    return;
  }
  const answer =
    typeof fault?.status === "number"
      ? { ...failure(fault.status, fault.message ?? "Planted failure"), headers: fault.headers ?? {} }
      : (refusal(api, request, entry, login) ?? (await answerTo(api, asked)));
  send(api, request, response, entry, answer, limitOf(api, token));
}

interface LoginOf {
  as: ApiRequest["as"];
  /** Null: it is right. */
  mistake: string | null;
}

function loginOf({ state, now }: Api, token: string): LoginOf {
  const { app } = state.apps;
  if (app !== null && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) {
    return { as: "app", mistake: jwtMistake(app, token, now()) };
  }
  const ofApp = state.apps.tokenOf(token, now());
  if (ofApp === null) return { as: "token", mistake: state.tokens.has(token) ? null : "Bad credentials" };
  ofApp.lag -= 1;
  return { as: "installation", mistake: ofApp.lag >= 0 ? "Bad credentials" : null };
}

/** GitHub counts each installation by itself. The App's own calls have a limit of their own. */
function limitOf({ state, now, rateLimit }: Api, token: string): Api["rateLimit"] {
  return state.apps.tokenOf(token, now())?.installation.rateLimit ?? rateLimit;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function takeFault(faults: Fault[], { method, path }: ApiRequest): Fault | null {
  const fault = faults.find(
    (one) =>
      (one.method === undefined || one.method === method) &&
      (one.path === undefined || (typeof one.path === "string" ? path.includes(one.path) : one.path.test(path))),
  );
  if (fault === undefined) return null;
  fault.times = (fault.times ?? 1) - 1;
  if (fault.times <= 0) faults.splice(faults.indexOf(fault), 1);
  return fault;
}

/** What GitHub refuses before it looks at the path. */
function refusal(api: Api, request: IncomingMessage, entry: ApiRequest, login: LoginOf): Answer | null {
  if (!request.headers["user-agent"]) {
    return failure(
      403,
      "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
    );
  }
  if (entry.path.startsWith("/app-manifests/")) return null;
  if (entry.authorization === "missing") return failure(401, "Requires authentication");
  if (login.mistake !== null) return failure(401, login.mistake);
  if (entry.as === "app") return null;
  const token = /\S+$/.exec(request.headers.authorization ?? "")?.[0] ?? "";
  const rateLimit = limitOf(api, token);
  if (api.now() >= rateLimit.resetAt) Object.assign(rateLimit, { used: 0, resetAt: api.now() + hour });
  return rateLimit.used >= rateLimit.limit ? failure(403, "API rate limit exceeded for user ID 1.") : null;
}

/** A 304 is free of charge, as GitHub promises to authorized callers. */
function send(
  api: Api,
  request: IncomingMessage,
  response: ServerResponse,
  entry: ApiRequest,
  answer: Answer,
  rateLimit: Api["rateLimit"],
): void {
  const text = JSON.stringify(answer.body);
  const etag = `W/"${createHash("sha256").update(text).digest("hex")}"`;
  const cacheable = request.method === "GET" && answer.status === 200;
  const known = cacheable && request.headers["if-none-match"] === etag;
  if (!known && entry.as !== "app") rateLimit.used++;
  const { limit, used, resetAt } = rateLimit;
  entry.status = known ? 304 : answer.status;
  response.writeHead(entry.status, {
    "content-type": "application/json; charset=utf-8",
    "x-github-media-type": "github.v3; format=json",
    "x-ratelimit-limit": limit,
    "x-ratelimit-remaining": Math.max(0, limit - used),
    "x-ratelimit-used": Math.min(limit, used),
    "x-ratelimit-reset": Math.floor(resetAt / 1000),
    "x-ratelimit-resource": "core",
    // Tests of an App may set GitHub's clock.
    ...(api.state.apps.app === null ? {} : { date: new Date(api.now()).toUTCString() }),
    ...(cacheable ? { etag, "cache-control": "private, max-age=60, s-maxage=60" } : {}),
    ...answer.headers,
  });
  response.end(known || answer.status === 204 ? undefined : text);
}
