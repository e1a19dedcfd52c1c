import { discard } from "./body.ts";
import type { HttpRequest, Send } from "./client.ts";

/**
 * Gives the value of the `Authorization` header to send; null: none.
 * @param refused the value that was just answered with 401; "": none was sent; undefined: this is the first try
 * @param challenge the `WWW-Authenticate` header of that answer
 */
export type Authorize = (refused?: string, challenge?: string) => Promise<string | null>;

/**
 * Adds credentials to requests to one origin, and to no other: a storage that a server redirects to gets its access by
 * the URL. After a 401 it asks `authorize` once for better credentials; if there are none, the 401 is the response.
 */
export function withLogin(send: Send, origin: string, authorize: Authorize): Send {
  return async (request) => {
    if (request.url.origin !== origin) return send(request);
    const first = await authorize();
    const response = await send(authorized(request, first));
    if (response.status !== 401) return response;
    let better: string | null;
    try {
      better = await authorize(first ?? "", response.headers["www-authenticate"]);
    } catch (error) {
      discard(response);
      throw error;
    }
    if (better === null || better === first) return response;
    discard(response);
    return send(authorized(request, better));
  };
}

function authorized(request: HttpRequest, authorization: string | null): HttpRequest {
  if (authorization === null) return request;
  return { ...request, headers: { ...request.headers, Authorization: authorization } };
}

/** The value of an `Authorization` header for HTTP Basic (RFC 7617), in UTF-8. */
export function basicAuth(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
