import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { Refused } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import { discard } from "../../../http/body.ts";
import type { HttpClient } from "../http/client.ts";
import { below } from "../http/paths.ts";
import type { ExistingFile } from "./shelf.ts";

/** A proxy must not compress the file: its bytes would be others. */
const HEADERS = { "Accept-Encoding": "identity" };

/**
 * A file at a URL. Null: there is none.
 * @param path below the client's URL, or the URL that the registry gives
 * @param digestIn reads a digest that the server computed from the answer's headers. Left out: the bytes have to be
 *   read
 */
export async function findFileAt(
  client: HttpClient,
  path: string | URL,
  repository: string,
  signal: AbortSignal,
  digestIn: (headers: IncomingHttpHeaders) => Digest | null = () => null,
): Promise<ExistingFile | null> {
  const url = typeof path === "string" ? below(client.url, path) : path;
  const ask = { url, headers: HEADERS, repository, to: `read ${url.pathname}`, signal };
  let answer = await client.ask({ ...ask, method: "HEAD", expect: [200, 204, 400, 403, 404, 405, 410, 501] });
  discard(answer);
  if (![200, 404, 410].includes(answer.status)) {
    // The server has no HEAD, or redirects to a URL that is signed for GET only. The start of a GET shows the same.
    answer = await client.ask({ ...ask, method: "GET", expect: [200, 404, 410] });
    answer.stream.destroy();
  }
  if (answer.status !== 200) return null;
  const { etag, "content-length": length } = answer.headers;
  return {
    digest: digestIn(answer.headers),
    mark: etag?.startsWith('"') ? `${etag} ${length}` : null,
    open: () => openFileAt(client, url, repository, signal),
  };
}

/** Streams the file at a URL. @throws as HttpClient, and Refused `content-gone` */
export async function openFileAt(
  client: HttpClient,
  url: URL,
  repository: string,
  signal: AbortSignal,
): Promise<Readable> {
  const ask = { url, headers: HEADERS, repository, to: `read ${url.pathname}`, signal };
  const answer = await client.ask({ ...ask, method: "GET", expect: [200, 404, 410] });
  if (answer.status === 200) return answer.stream;
  discard(answer);
  throw new Refused("content-gone", `${client.label} no longer has ${url.pathname}.`);
}
