import { discard } from "./body.ts";
import type { HttpRequest, HttpResponse, Send } from "./client.ts";

/**
 * Where a response redirects to. Of an unsafe address only scheme and host are shown: path and query may grant access.
 */
export type RedirectTarget = { kind: "safe"; url: URL } | { kind: "unsafe"; shown: string };

export interface RedirectRules {
  /** How many redirects are followed. */
  max: number;
  /**
   * Where to go on; null: the redirect itself is the answer. Throws to refuse.
   * @param hops redirects followed before this one
   */
  next(target: RedirectTarget, response: HttpResponse, hops: number): URL | null;
}

export class TooManyRedirects extends Error {}

export const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];

export function isRedirect(status: number): boolean {
  return REDIRECT_STATUSES.includes(status);
}

/**
 * Sends a request and follows redirects as the rules allow, with the same method and body. Credentials in the headers
 * go to no other host.
 * @throws TooManyRedirects, what `send` and `next` throw
 */
export async function followRedirects(request: HttpRequest, send: Send, rules: RedirectRules): Promise<HttpResponse> {
  let { url, headers } = request;
  for (let hops = 0; ; hops++) {
    const response = await send({ ...request, url, headers });
    if (!isRedirect(response.status)) return response;
    let goal: URL | null = null;
    try {
      goal = rules.next(readLocation(response.headers.location, url), response, hops);
      if (goal === null) return response;
      if (hops === rules.max) throw new TooManyRedirects(`it redirects more than ${rules.max} times`);
    } catch (error) {
      discard(response);
      throw error;
    }
    discard(response);
    // readLocation never leads from TLS into plain HTTP, so the same host is as safe as before.
    if (goal.host !== url.host) headers = withoutCredentials(headers);
    url = goal;
  }
}

/**
 * The target of a `Location` header: a URL, or a reference relative to the request (RFC 9110, 10.2.2; RFC 3986, 5). A
 * target without TLS is unsafe after a request with TLS, and so is one with credentials in it.
 */
export function readLocation(location: string | undefined, from: URL): RedirectTarget {
  if (!location || !URL.canParse(location, from.href)) return { kind: "unsafe", shown: "no valid URL" };
  const url = new URL(location, from);
  // A server behind a TLS proxy may not know about TLS and name itself with http.
  if (url.protocol === "http:" && from.protocol === "https:" && url.host === from.host) url.protocol = "https:";
  const isSafe = (url.protocol === "https:" || url.protocol === from.protocol) && !url.username && !url.password;
  return isSafe ? { kind: "safe", url } : { kind: "unsafe", shown: shownOrigin(url) };
}

/** What may be shown of an address that another server gave. */
export function shownOrigin({ protocol, host }: URL): string {
  return `${protocol}//${host}`;
}

function withoutCredentials(headers: HttpRequest["headers"]): HttpRequest["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(?:authorization|cookie)$/i.test(name)));
}
