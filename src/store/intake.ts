import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { ConfigError, TransientError } from "../delivery/errors.ts";
import { addToUpload, beginUpload, cancelUpload, endUpload, headBlob, uploadStatus } from "./intake/blobs.ts";
import { type Grant, type GrantState, Grants } from "./intake/grants.ts";
import { headManifest, putManifest } from "./intake/manifests.ts";
import { OciError, type Reply, type Route, routeOf } from "./intake/protocol.ts";
import type { Store } from "./store.ts";

export type { Grant } from "./intake/grants.ts";

/**
 * The store's front door: as much of a registry (OCI distribution specification 1.1, Docker Registry HTTP API V2) as an
 * engine needs to push. Write-only: with a credential one can ask whether a content is there, but never read a byte, so
 * a build that came by its own credential could not fetch another team's layers.
 */
export interface Intake {
  /** `host:port` as the engine is told. */
  readonly host: string;
  /** A one-time right to push into one repository. @param repository lower-case `[a-z0-9._/-]` @param limits bytes that it may add to the store */
  grant(repository: string, limits: { maxBytes: number }): Grant;
  stop(): Promise<void>;
}

/** No byte for so long (ms) ends a connection; an engine that compresses a slow layer still sends. */
const idleTimeout = 5 * 60_000;

/**
 * @param options.listen `host:port`; port 0 takes a free one
 * @param options.advertise `host:port` under which the engine reaches it; left out, it is where it listens
 * @param options.onBug is told what no sender caused
 * @throws ConfigError `intake-listen` where it cannot listen there
 */
export async function startIntake(options: {
  store: Store;
  listen: string;
  advertise?: string | undefined;
  onBug?: (error: unknown) => void;
}): Promise<Intake> {
  const grants = new Grants();
  const server = createServer((request, response) => {
    answer(options.store, grants, request).then(
      (reply) => send(request, response, reply),
      (error) => {
        // A sender that went away is no bug, and nobody is there to be answered.
        if (request.destroyed && !request.complete) return;
        if (!(error instanceof OciError || error instanceof TransientError)) options.onBug?.(error);
        send(request, response, refusal(error));
      },
    );
  });
  // A large layer may take longer than Node's 5 minutes for a whole request: silence is what ends one.
  server.requestTimeout = 0;
  server.headersTimeout = 10_000;
  server.setTimeout(idleTimeout);
  server.maxConnections = 200;
  const port = await listen(server, options.listen);
  const host = options.advertise ?? `${options.listen.slice(0, options.listen.lastIndexOf(":"))}:${port}`;
  return {
    host,
    grant: (repository, { maxBytes }) => grants.issue(host, repository, maxBytes),
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await grants.revokeAll();
    },
  };
}

async function listen(server: ReturnType<typeof createServer>, where: string): Promise<number> {
  const [, host = "", port = ""] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(where) ?? [];
  try {
    if (!host) throw new Error("it is not host:port");
    server.listen(Number(port), host);
    await once(server, "listening");
  } catch (error) {
    throw new ConfigError(
      "intake-listen",
      `docker.intake.listen: cannot listen on "${where}": ${(error as Error).message}. Name a free host:port, or port 0 for any.`,
      { cause: error },
    );
  }
  const address = server.address();
  return typeof address === "object" && address ? address.port : Number(port);
}

async function answer(store: Store, grants: Grants, request: IncomingMessage): Promise<Reply> {
  // Before anything else, so that a stranger learns nothing, not even which paths there are.
  const holding = grants.holder(request.headers.authorization);
  if (!holding) {
    throw new OciError(401, "UNAUTHORIZED", "a delivery's own credential is needed", {
      "WWW-Authenticate": 'Basic realm="deliverd intake"',
    });
  }
  const route = routeOf(request.url ?? "");
  if (!route) throw new OciError(404, "NAME_UNKNOWN", "there is nothing here");
  if (route.kind === "version") return { status: 200, body: {} };
  if (route.repository !== holding.repository) {
    throw new OciError(403, "DENIED", "this credential is for another repository");
  }
  const reply = await dispatch(store, holding, request, route);
  if (!reply) throw new OciError(405, "UNSUPPORTED", "the intake takes pushes and nothing else");
  return reply;
}

/** Null: not that method there. */
async function dispatch(
  store: Store,
  holding: GrantState,
  request: IncomingMessage,
  route: Exclude<Route, { kind: "version" }>,
): Promise<Reply | null> {
  const { what, query } = route;
  switch (`${request.method} ${route.kind}`) {
    case "HEAD blob":
      return headBlob(store, what);
    case "POST uploads":
      return beginUpload(store, holding, query);
    case "PATCH upload":
      return addToUpload(request, holding, what);
    case "PUT upload":
      return endUpload(request, store, holding, what, query);
    case "GET upload":
      return uploadStatus(holding, what);
    case "DELETE upload":
      return cancelUpload(holding, what);
    case "HEAD manifest":
      return headManifest(store, holding, what);
    case "PUT manifest":
      return putManifest(request, store, holding, what);
    default:
      return null;
  }
}

function refusal(error: unknown): Reply {
  const denial =
    error instanceof OciError
      ? error
      : error instanceof TransientError
        ? new OciError(503, "UNAVAILABLE", error.message)
        : new OciError(500, "UNKNOWN", "the intake failed");
  return {
    status: denial.status,
    headers: denial.headers,
    body: { errors: [{ code: denial.code, message: denial.message }] },
  };
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  // A sender that went away before its answer.
  response.on("error", () => {});
  const body = reply.body === undefined ? undefined : Buffer.from(JSON.stringify(reply.body));
  response.statusCode = reply.status;
  response.setHeader("Docker-Distribution-Api-Version", "registry/2.0");
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (body) response.setHeader("Content-Type", "application/json");
  if (request.method !== "HEAD" && reply.status !== 204) response.setHeader("Content-Length", body?.length ?? 0);
  // A stranger's body is not read to its end.
  if (reply.status === 401) response.setHeader("Connection", "close");
  response.end(request.method === "HEAD" ? undefined : body);
}
