import { entityCache } from "./entity-cache.ts";

const MAX_REDIRECTS = 3;

/**
 * A fetch for one API, for octokit: the token goes to that origin alone, whatever a redirect or a `Link` header says; an
 * attempt ends after `timeout` ms; `onAnswer` sees the headers of each; and only a whole answer counts, since octokit takes a cut one as an empty list.
 */
export function guardedFetch(apiUrl: string, timeout: number, onAnswer: (headers: Headers) => void): typeof fetch {
  const { origin } = new URL(apiUrl);
  const cache = entityCache();

  async function follow(url: URL, init: RequestInit, redirects = 0): Promise<Response> {
    if (url.origin !== origin) throw new Error(`it sends us on to another host (${url.host}), which is not followed`);
    const response = await fetch(url, { ...init, redirect: "manual" });
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    await response.body?.cancel();
    if (redirects === MAX_REDIRECTS) throw new Error(`it redirects more than ${MAX_REDIRECTS} times`);
    if (init.method !== "GET" && response.status < 307) throw new Error(`it redirects a ${init.method}`);
    return follow(new URL(location, url), init, redirects + 1);
  }

  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const isGet = init.method === "GET";
    const known = isGet ? cache.find(url) : undefined;
    const headers = new Headers(init.headers);
    if (known !== undefined) headers.set("if-none-match", known.etag);
    const answer = await follow(url, { ...init, headers, signal: AbortSignal.timeout(timeout) });
    onAnswer(answer.headers);
    if (answer.status === 304 && known !== undefined) return known.response();
    const body = await answer.text();
    if (answer.status === 304 || answer.status === 409) throw new Error(`it answered ${answer.status}`);
    if (answer.ok) JSON.parse(body);
    const whole = () => asAnswered(answer, body);
    if (isGet && answer.ok) cache.keep(url, { etag: answer.headers.get("etag"), length: body.length, response: whole });
    return whole();
  };
}

/** A whole answer in place of one that was still to be read. */
function asAnswered({ status, headers, url }: Response, body: string): Response {
  // The pagination plugin reads the URL, which a made response lacks.
  return Object.defineProperty(new Response(body, { status, headers }), "url", { value: url });
}
