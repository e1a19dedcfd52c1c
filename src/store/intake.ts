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
 * A registry to which the engine pushes what it built (the needed part of OCI distribution specification 1.1 and Docker
 * Registry HTTP API V2). It is write-only: a credential can ask whether a content exists, but never read a byte. So a
 * build that got hold of its own credential could not fetch another team's layers.
 */
export interface Intake {
  /** `host:port` for the engine. */
  readonly host: string;
  /**
   * Grants the right to push into one repository, for one build.
   * @param repository lower-case `[a-z0-9._/-]`
   * @param limits bytes that the build may add to the store
   */
  grant(repository: string, limits: { maxBytes: number }): Grant;
  stop(): Promise<void>;
}

/** A connection ends after this long without a byte. An engine that compresses a large layer still sends. */
const IDLE_TIMEOUT_MS = 5 * 60_000;

/**
 * @param options.listen `host:port`; port 0 means any free port
 * @param options.advertise `host:port` at which the engine reaches it. Left out: where it listens
 * @param options.onBug called with errors that no sender caused
 * @throws ConfigError `intake-listen` if it cannot listen there
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
        // A sender that went away is no bug, and gets no answer.
        if (request.destroyed && !request.complete) return;
        if (!(error instanceof OciError || error instanceof TransientError)) options.onBug?.(error);
        send(request, response, refusal(error));
      },
    );
  });
  // A large layer may take longer than Node's limit of 5 minutes for a request. Only an idle connection is ended.
  server.requestTimeout = 0;
  server.headersTimeout = 10_000;
  server.setTimeout(IDLE_TIMEOUT_MS);
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
      `docker.intake.listen: cannot listen on "${where}": ${whyNot(error as NodeJS.ErrnoException)}. ` +
        "Name a free host:port, or port 0 for any.",
      { cause: error },
    );
  }
  const address = server.address();
  return typeof address === "object" && address ? address.port : Number(port);
}

function whyNot({ code = "", message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? message;
}

const REASONS: Record<string, string> = {
  EADDRINUSE: "another program listens there, perhaps another deliverd",
  EADDRNOTAVAIL: "this machine has no such address",
  EACCES: "this user may not listen on a port below 1024",
  ENOTFOUND: "this machine finds no such host",
};

async function answer(store: Store, grants: Grants, request: IncomingMessage): Promise<Reply> {
  // Checked first, so that a stranger learns nothing, not even which paths exist.
  const grant = grants.holder(request.headers.authorization);
  if (!grant) {
    throw new OciError(401, "UNAUTHORIZED", "a delivery's own credential is needed", {
      "WWW-Authenticate": 'Basic realm="deliverd intake"',
    });
  }
  const route = routeOf(request.url ?? "");
  if (!route) throw new OciError(404, "NAME_UNKNOWN", "there is nothing here");
  if (route.kind === "version") return { status: 200, body: {} };
  if (route.repository !== grant.repository) {
    throw new OciError(403, "DENIED", "this credential is for another repository");
  }
  const reply = await dispatch(store, grant, request, route);
  if (!reply) throw new OciError(405, "UNSUPPORTED", "the intake takes pushes and nothing else");
  return reply;
}

/** Null: the path does not accept this method. */
async function dispatch(
  store: Store,
  grant: GrantState,
  request: IncomingMessage,
  route: Exclude<Route, { kind: "version" }>,
): Promise<Reply | null> {
  const { what, query } = route;
  switch (`${request.method} ${route.kind}`) {
    case "HEAD blob":
      return headBlob(store, what);
    case "POST uploads":
      return beginUpload(store, grant, query);
    case "PATCH upload":
      return addToUpload(request, grant, what);
    case "PUT upload":
      return endUpload(request, store, grant, what, query);
    case "GET upload":
      return uploadStatus(grant, what);
    case "DELETE upload":
      return cancelUpload(grant, what);
    case "HEAD manifest":
      return headManifest(store, grant, what);
    case "PUT manifest":
      return putManifest(request, store, grant, what);
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
  // The sender may go away before its answer.
  response.on("error", () => {});
  const body = reply.body === undefined ? undefined : Buffer.from(JSON.stringify(reply.body));
  response.statusCode = reply.status;
  response.setHeader("Docker-Distribution-Api-Version", "registry/2.0");
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (body) response.setHeader("Content-Type", "application/json");
  if (request.method !== "HEAD" && reply.status !== 204) response.setHeader("Content-Length", body?.length ?? 0);
  // The body of a stranger's request is not read.
  if (reply.status === 401) response.setHeader("Connection", "close");
  response.end(request.method === "HEAD" ? undefined : body);
}
