import { Refused, TransientError } from "../../../delivery/errors.ts";
import { type Body, bodyOf } from "../../../http/transport.ts";
import type { HttpClient } from "./client.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { below } from "./paths.ts";
import { claimsToStand, mayStand } from "./refusals.ts";
import { untilShown } from "./until-shown.ts";

/** What is put where, below the URL of the client. */
export interface Put {
  /** Segments with slashes between them. */
  path: string;
  body: Body;
  repository: string;
  /** Asks the server to refuse where something stands there already; some do not know how to. */
  guard: boolean;
  signal: AbortSignal;
}

/** One PUT; folders are made where the server wants that. @throws as HttpClient, and Refused `name-taken` where the guard held */
export async function putFile(client: HttpClient, put: Put): Promise<void> {
  const { path, body, repository, guard, signal } = put;
  const url = below(client.url, path);
  const headers = { "Content-Type": "application/octet-stream", ...(guard && { "If-None-Match": "*" }) };
  const ask = { method: "PUT", url, headers, body, repository, to: `send ${path}`, signal } as const;
  let status = await client.status({ ...ask, expect: [200, 201, 202, 204, 409, 412] });
  // WebDAV (RFC 4918, 9.7.1): a folder above it is missing.
  if (status === 409) {
    const missing = await inTurn(client, () => makeFolders(client, put));
    status = await client.status({ ...ask, expect: [200, 201, 202, 204, 409, 412] });
    if (status === 409 && missing !== null) {
      throw new Refused(
        "registry-refused",
        `${client.label} takes no file under ${missing}, and does not let us make that folder.`,
      );
    }
  }
  if (status !== 409 && status !== 412) return;
  throw new Refused("name-taken", `${client.label} says that ${path} is there already (${status}).`);
}

/** The same for what is written once: where it is refused, it is looked whether it is there by now. */
export async function putOnce(client: HttpClient, put: Put, isThere: () => Promise<boolean>): Promise<void> {
  try {
    await putFile(client, put);
  } catch (error) {
    if (!mayStand(error)) throw error;
    if (await untilShown(isThere, (there) => there, put.signal)) return;
    if (!claimsToStand(error)) throw error;
    throw new TransientError(
      "registry-behind",
      `${client.label} has ${put.path}, as it says itself, but does not show it yet.`,
    );
  }
}

/** Two that make the same folders get into each other's way: a server tells the later anything but that they stand. */
function inTurn<T>(client: HttpClient, work: () => Promise<T>): Promise<T> {
  const turn = turns.get(client) ?? oneAtATime();
  turns.set(client, turn);
  return turn(work);
}

const turns = new WeakMap<HttpClient, ReturnType<typeof oneAtATime>>();

/** @returns the first that cannot be made; null: all stand */
async function makeFolders(client: HttpClient, { path, repository, signal }: Put): Promise<string | null> {
  const folders = path.split("/").slice(0, -1);
  for (const depth of [0, ...folders.map((_, index) => index + 1)]) {
    const url = below(client.url, ...folders.slice(0, depth));
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/`;
    const expect = [200, 201, 204, 301, 400, 403, 404, 405, 409, 501];
    const to = "make a folder";
    const status = await client.status({ method: "MKCOL", url, headers: {}, repository, to, expect, signal });
    // 405: it stands already.
    if (![200, 201, 204, 301, 405].includes(status)) return url.pathname;
  }
  return null;
}

/**
 * Shows login and right to write by a request that stores nothing: a PUT on the folder itself, on a condition that never
 * holds. @throws Refused
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
    // What refuses a folder or the condition has let us in: nginx 409, Apache 412.
    expect: [200, 201, 204, 400, 405, 409, 411, 412, 422, 501],
  });
  if (status !== 405 && status !== 501) return;
  throw new Refused(
    "registry-refused",
    `${client.label} takes no PUT under ${url.pathname} (${status}). Correct the url, or allow PUT there.`,
  );
}
