import { type Answer, bodyOf, discard, type Order, openTransport, readBytes } from "../../http/transport.ts";
import { entityCache } from "./entity-cache.ts";

const MAX_REDIRECTS = 3;
const MAX_BYTES = 64 * 1024 * 1024;

/** As much of a `Response` as octokit reads. The class itself would bring an HTTP client of its own into memory, which nothing else here needs. */
export interface WholeAnswer {
  status: number;
  url: string;
  headers: Map<string, string>;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

interface Asked {
  method: Order["method"];
  headers: Record<string, string>;
  body?: string | undefined;
}

/**
 * A fetch for one API, for octokit: the token goes to that origin alone, whatever a redirect or a `Link` header says; an
 * attempt ends after `timeout` ms; `onAnswer` sees headers and status of each; and only a whole answer counts, since octokit takes a cut one as an empty list.
 */
export function guardedFetch(
  apiUrl: string,
  timeout: number,
  onAnswer: (headers: ReadonlyMap<string, string>, status: number) => void,
): (input: string, init: Asked) => Promise<WholeAnswer> {
  const { origin } = new URL(apiUrl);
  const cache = entityCache<WholeAnswer>();
  const send = openTransport({ stall: timeout });

  async function follow(order: Order, redirects = 0): Promise<Answer> {
    const { method, url } = order;
    if (url.origin !== origin) throw new Error(`it sends us on to another host (${url.host}), which is not followed`);
    const answer = await send(order);
    const { location } = answer.headers;
    if (answer.status < 300 || answer.status >= 400 || location === undefined) return answer;
    discard(answer);
    if (redirects === MAX_REDIRECTS) throw new Error(`it redirects more than ${MAX_REDIRECTS} times`);
    if (method !== "GET" && answer.status < 307) throw new Error(`it redirects a ${method}`);
    return follow({ ...order, url: new URL(location, url) }, redirects + 1);
  }

  async function ask(order: Order): Promise<{ status: number; headers: Map<string, string>; body: string }> {
    try {
      const answer = await follow(order);
      const body = await readBytes(answer, MAX_BYTES);
      return { status: answer.status, headers: namesAndValues(answer), body: body.toString("utf8") };
    } catch (error) {
      throw order.signal.aborted ? new Error(`timeout: no whole answer within ${timeout} ms`, { cause: error }) : error;
    }
  }

  return async (input, { method, headers, body }) => {
    const url = new URL(input);
    const known = method === "GET" ? cache.find(url) : undefined;
    const answer = await ask({
      method,
      url,
      headers: { ...headers, "accept-encoding": "gzip", ...(known && { "if-none-match": known.etag }) },
      body: body === undefined ? undefined : bodyOf(body),
      signal: AbortSignal.timeout(timeout),
    });
    onAnswer(answer.headers, answer.status);
    const { status } = answer;
    if (status === 304 && known !== undefined) return known.response();
    if (status === 304 || status === 409) throw new Error(`it answered ${status}`);
    const isGood = status >= 200 && status < 300;
    if (isGood) JSON.parse(answer.body);
    const whole = (): WholeAnswer => ({
      ...answer,
      url: url.href,
      text: async () => answer.body,
      arrayBuffer: async () => new ArrayBuffer(0),
    });
    const etag = answer.headers.get("etag") ?? null;
    if (method === "GET" && isGood) cache.keep(url, { etag, length: answer.body.length, response: whole });
    return whole();
  };
}

function namesAndValues({ headers }: Answer): Map<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
