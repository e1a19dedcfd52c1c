import http, {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { observeCall } from "../observe/observe-call.ts";
import { VERSION } from "../run/version.ts";
import type { Body } from "./body.ts";

/** One HTTP request. A `User-Agent` header replaces deliverd's own. */
export interface HttpRequest {
  method: "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE" | "MKCOL";
  url: URL;
  headers: OutgoingHttpHeaders;
  body?: Body | undefined;
  /** Ends the request, and the response while it is read, with the signal's reason. */
  signal: AbortSignal;
}

export interface HttpResponse {
  /** The request that this answers, after redirects: an address in the response is relative to its URL. */
  request: Pick<HttpRequest, "url" | "headers">;
  status: number;
  headers: IncomingHttpHeaders;
  /** Must be read, discarded or destroyed: until then it keeps its connection. */
  stream: IncomingMessage;
}

/**
 * Sends one request and returns the response, whatever its status. Follows no redirect and adds no credentials.
 * @throws Error if there is no response (as ConnectTimeout, IdleTimeout, StaleConnection, or with Node's `code`); the
 * signal's reason
 */
export type Send = (request: HttpRequest) => Promise<HttpResponse>;

export interface ClientOptions {
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | undefined;
  /** ms for a new connection: DNS, TCP and TLS. */
  connectTimeout?: number | undefined;
  /** ms without a byte in either direction. */
  idleTimeout?: number | undefined;
  /** Connections to one host at a time; more requests wait. */
  maxConnections?: number | undefined;
}

export const MAX_CONNECTIONS = 8;

/** An unused connection is closed after this time (ms): common load balancers drop it after 60 s without telling. */
const UNUSED_CONNECTION_LIFE_MS = 45_000;

const USER_AGENT = `deliverd/${VERSION}`;

export class ConnectTimeout extends Error {
  readonly code = "ETIMEDOUT";
}

export class IdleTimeout extends Error {
  readonly code = "ETIMEDOUT";
}

/**
 * The server closed a kept connection at the moment when a request used it again. Without a body the client sends the
 * request again by itself. With a body the server may have processed it: the caller must find out.
 */
export class StaleConnection extends Error {}

/** Opens an HTTP client with its own pool of connections. Unused connections keep no process alive. */
export function openHttpClient(options: ClientOptions = {}): Send {
  const { ca, maxConnections = MAX_CONNECTIONS, connectTimeout = 10_000, idleTimeout = 60_000 } = options;
  const pool = { keepAlive: true, maxSockets: maxConnections, timeout: UNUSED_CONNECTION_LIFE_MS };
  const client = {
    connectTimeout,
    idleTimeout,
    plain: new http.Agent(pool),
    secure: new https.Agent(ca === undefined ? pool : { ...pool, ca }),
  };
  return (request) => {
    const { method, url, signal } = request;
    const question = { method, origin: url.origin, isAborted: () => signal.aborted };
    return observeCall(
      question,
      () => sendFresh(request, client, maxConnections),
      (response) => response,
    );
  };
}

async function sendFresh(request: HttpRequest, client: Client, maxConnections: number): Promise<HttpResponse> {
  // Each stale connection is one fewer in the pool, so the loop ends.
  for (let attempt = 0; ; attempt++) {
    try {
      return await sendOnce(request, client);
    } catch (error) {
      if (!(error instanceof StaleConnection) || request.body || attempt === maxConnections) throw error;
    }
  }
}

interface Client {
  plain: http.Agent;
  secure: https.Agent;
  connectTimeout: number;
  idleTimeout: number;
}

function sendOnce(request: HttpRequest, client: Client): Promise<HttpResponse> {
  const { url, headers, body, signal } = request;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const call = openRequest(request, client);
    const source = body?.open();
    let response: IncomingMessage | undefined;
    let isReused = false;
    /** A request that waits for a connection emits no error when it is destroyed, so it is rejected here. */
    const fail = (error: unknown) => {
      signal.removeEventListener("abort", abort);
      source?.destroy();
      (response ?? call).destroy(error as Error);
      reject(error);
    };
    const abort = () => fail(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    call.once("close", () => signal.removeEventListener("abort", abort));

    call.once("socket", (socket) => {
      isReused = !socket.connecting;
      if (!isReused) limitConnecting(socket, url, client.connectTimeout, fail);
    });
    call.setTimeout(client.idleTimeout, () =>
      fail(new IdleTimeout(`no byte moved for ${client.idleTimeout / 1000} s`)),
    );
    call.on("error", (error: NodeJS.ErrnoException) => {
      const isStale = response === undefined && isReused && (error.code === "ECONNRESET" || error.code === "EPIPE");
      fail(isStale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    call.once("response", (stream) => {
      response = stream;
      // A server may refuse a body before it has read it all: the rest would only delay the response.
      if (source && !call.writableFinished) stopSending(source, call, stream);
      resolve({ request: { url, headers }, status: stream.statusCode ?? 0, headers: stream.headers, stream });
    });
    if (source) source.once("error", fail).pipe(call);
    else call.end();
  });
}

function openRequest({ method, url, headers, body }: HttpRequest, { plain, secure }: Client): ClientRequest {
  const length = body === undefined ? {} : { "Content-Length": body.length };
  const options = { method, headers: { "User-Agent": USER_AGENT, ...headers, ...length } };
  return url.protocol === "https:"
    ? https.request(url, { ...options, agent: secure })
    : http.request(url, { ...options, agent: plain });
}

function limitConnecting(socket: Socket, { protocol }: URL, ms: number, fail: (error: Error) => void): void {
  const timer = setTimeout(() => fail(new ConnectTimeout(`no connection within ${ms / 1000} s`)), ms);
  const stop = () => clearTimeout(timer);
  socket.once(protocol === "https:" ? "secureConnect" : "connect", stop).once("close", stop);
}

/** A connection whose request was not sent completely cannot be used again. */
function stopSending(source: ReturnType<Body["open"]>, call: ClientRequest, response: IncomingMessage): void {
  source.unpipe(call);
  source.destroy();
  response.once("close", () => call.destroy());
}
