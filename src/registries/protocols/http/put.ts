import { Refused, TransientError } from "../../../delivery/errors.ts";
import { type Body, bodyOf } from "../../../http/body.ts";
import type { HttpClient } from "./client.ts";
import { below } from "./paths.ts";
import { claimsToStand, mayStand } from "./refusals.ts";
import { untilShown } from "./until-shown.ts";

/** A file to upload. */
export interface Put {
  /** Below the URL of the client, segments separated by "/". */
  path: string;
  body: Body;
  repository: string;
  /** Asks the server to refuse if the path exists already. Some servers ignore that. */
  guard: boolean;
  signal: AbortSignal;
}

/**
 * Sends one PUT, and creates folders if the server requires them.
 * @throws as HttpClient; Refused `name-taken` if the path exists
 */
export async function putFile(client: HttpClient, put: Put): Promise<void> {
  const { path, body, repository, guard, signal } = put;
  const url = below(client.url, path);
  const headers = { "Content-Type": "application/octet-stream", ...(guard && { "If-None-Match": "*" }) };
  const ask = { method: "PUT", url, headers, body, repository, to: `send ${path}`, signal } as const;
  let status = await client.status({ ...ask, expect: [200, 201, 202, 204, 409, 412] });
  // WebDAV (RFC 4918, 9.7.1): a parent folder is missing.
  if (status === 409) {
    const missing = await client.inTurn(() => makeFolders(client, put));
    status = await client.status({ ...ask, expect: [200, 201, 202, 204, 409, 412] });
    if (status === 409 && missing !== null) {
      throw new Refused(
        "registry-refused",
        `${client.label} accepts no file under ${missing} and does not let us create that folder.`,
      );
    }
  }
  if (status !== 409 && status !== 412) return;
  throw new Refused("name-taken", `${client.label} says that ${path} exists already (${status}).`);
}

/**
 * Sends one PUT of a file that is written only once. If the server refuses it, the file may be there already, so
 * `isThere` decides.
 * @throws as `putFile`; TransientError `registry-behind` if the server claims to have the file but does not show it
 */
export async function putOnce(client: HttpClient, put: Put, isThere: () => Promise<boolean>): Promise<void> {
  try {
    await putFile(client, put);
  } catch (error) {
    if (!mayStand(error)) throw error;
    if (await untilShown(isThere, (there) => there, put.signal)) return;
    if (!claimsToStand(error)) throw error;
    throw new TransientError(
      "registry-behind",
      `${client.label} says that it has ${put.path}, but does not show it yet.`,
    );
  }
}

/** Creates all parent folders. @returns the first one that cannot be created; null: all exist */
async function makeFolders(client: HttpClient, { path, repository, signal }: Put): Promise<string | null> {
  const folders = path.split("/").slice(0, -1);
  for (const depth of [0, ...folders.map((_, index) => index + 1)]) {
    const url = below(client.url, ...folders.slice(0, depth));
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/`;
    const expect = [200, 201, 204, 301, 400, 403, 404, 405, 409, 501];
    const to = "make a folder";
    const status = await client.status({ method: "MKCOL", url, headers: {}, repository, to, expect, signal });
    // 405: the folder exists.
    if (![200, 201, 204, 301, 405].includes(status)) return url.pathname;
  }
  return null;
}

/**
 * Proves the login and the right to write with a request that stores nothing: a PUT to the folder itself under a
 * condition that is never true.
 * @throws as HttpClient
 */
export async function tryPut(client: HttpClient, signal: AbortSignal): Promise<void> {
  const url = new URL(client.url);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/`;
  const ask = { url, repository: null, signal } as const;
  const status = await client.status({
    ...ask,
    method: "PUT",
    headers: { "If-Match": '"deliverd-check"' },
    body: bodyOf(""),
    to: "write",
    // A server that refuses the folder or the condition has accepted the login: nginx answers 409, Apache 412.
    expect: [200, 201, 204, 400, 405, 409, 411, 412, 422, 501],
  });
  if (status !== 405 && status !== 501) return;
  throw new Refused(
    "registry-refused",
    `${client.label} accepts no PUT under ${url.pathname} (${status}). Correct the url, or allow PUT there.`,
  );
}
