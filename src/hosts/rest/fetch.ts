import { BoundedCache } from "../../async/bounded-cache.ts";
import { bodyOf, MAX_LIST_BYTES, readBytes } from "../../http/body.ts";
import { type HttpRequest, type HttpResponse, openHttpClient } from "../../http/client.ts";
import { followRedirects, type RedirectRules, shownOrigin } from "../../http/redirects.ts";

const MAX_REDIRECTS = 3;

/** Responses that are kept for conditional requests, and the length (characters) of the largest one. */
const MAX_KEPT = 300;
const MAX_KEPT_LENGTH = 200_000;

/**
 * The parts of a `Response` that octokit and our own client read. The class itself would load Node's own HTTP client,
 * which costs memory.
 */
export interface WholeResponse {
  status: number;
  url: string;
  headers: Map<string, string>;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** The parts of a `RequestInit` that they set. */
interface RequestOptions {
  method: HttpRequest["method"];
  headers: Record<string, string>;
  body?: string | undefined;
}

/** A response with its whole body. */
interface Received {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/**
 * Makes a `fetch` for the API of a host. It sends requests only to the API's own origin, whatever a redirect or a `Link`
 * header says, since every request holds the token. It returns whole responses only, and a success only if it is JSON: a
 * broken response must not become an empty list. Repeated GETs are conditional.
 * @param timeout ms for one attempt
 * @param onResponse gets headers and status of each response
 */
export function guardedFetch(
  apiUrl: string,
  timeout: number,
  onResponse: (headers: ReadonlyMap<string, string>, status: number) => void,
): (input: string, init: RequestOptions) => Promise<WholeResponse> {
  const { origin } = new URL(apiUrl);
  const kept = new BoundedCache<Received>(MAX_KEPT);
  const send = openHttpClient({ idleTimeout: timeout });

  async function receive(request: HttpRequest): Promise<Received> {
    requireOrigin(request.url, origin);
    try {
      const response = await followRedirects(request, send, { max: MAX_REDIRECTS, next: nextOf(request, origin) });
      const body = await readBytes(response, MAX_LIST_BYTES);
      return { status: response.status, headers: headersOf(response), body: body.toString("utf8") };
    } catch (error) {
      throw request.signal.aborted
        ? new Error(`timeout: no whole response within ${timeout} ms`, { cause: error })
        : error;
    }
  }

  return async (input, { method, headers, body }) => {
    const url = new URL(input);
    const known = method === "GET" ? kept.get(url.href) : undefined;
    const received = await receive({
      method,
      url,
      headers: { ...headers, "accept-encoding": "gzip", ...(known && { "if-none-match": known.headers.get("etag") }) },
      body: body === undefined ? undefined : bodyOf(body),
      signal: AbortSignal.timeout(timeout),
    });
    onResponse(received.headers, received.status);
    const { status } = received;
    // https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api: a 304 is not counted.
    if (status === 304 && known !== undefined) return wholeResponse(url, known);
    if (status === 304) throw new Error(`it answered ${status}`);
    if (status < 200 || status > 299) return wholeResponse(url, received);
    // 204 has no body: https://www.rfc-editor.org/rfc/rfc9110#status.204
    if (status !== 204) JSON.parse(received.body);
    if (method === "GET") {
      kept.delete(url.href);
      if (received.headers.has("etag") && received.body.length <= MAX_KEPT_LENGTH) kept.set(url.href, received);
    }
    return wholeResponse(url, received);
  };
}

function wholeResponse(url: URL, { status, headers, body }: Received): WholeResponse {
  return { status, headers, url: url.href, text: async () => body, arrayBuffer: async () => new ArrayBuffer(0) };
}

function nextOf({ method }: HttpRequest, origin: string): RedirectRules["next"] {
  return (target, { status }) => {
    if (target.kind === "unsafe") throw new Error(`it redirects to ${target.shown}`);
    requireOrigin(target.url, origin);
    // After 301, 302 and 303 clients turn a POST into a GET, which would be another request.
    if (method !== "GET" && status < 307) throw new Error(`it redirects a ${method}`);
    return target.url;
  };
}

function requireOrigin(url: URL, origin: string): void {
  if (url.origin !== origin) throw new Error(`it leads to another host (${shownOrigin(url)}), which is not followed`);
}

function headersOf({ headers }: HttpResponse): Map<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
