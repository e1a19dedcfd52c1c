import { Refused } from "../../../delivery/errors.ts";
import type { HttpClient } from "../http/client.ts";
import { requireData } from "../http/failures.ts";
import { below } from "../http/paths.ts";
import type { VersionUpload } from "./shelf.ts";
import { digestInSidecar, SIDECAR_MAX_BYTES } from "./sidecar.ts";

/** A file that another tool put there may be of any size. */
const TEXT_MAX_BYTES = 16 * 1024 * 1024;

/** Whether a file of at most as many bytes is exactly this text. */
export async function hasText(
  client: HttpClient,
  path: string,
  repository: string,
  text: string,
  signal: AbortSignal,
): Promise<boolean> {
  const headers = { "Accept-Encoding": "identity" };
  const ask = { method: "GET", headers, repository, to: `read ${path}`, signal } as const;
  const found = await client.read({ ...ask, url: below(client.url, path), expect: [200, 404] }, TEXT_MAX_BYTES);
  return found.status === 200 && found.bytes.toString() === text;
}

/** Whether the metadata file of a release exists. @throws Refused `name-taken` if it belongs to another content */
export async function hasSidecar(
  client: HttpClient,
  path: string,
  { name, content }: VersionUpload,
  signal: AbortSignal,
): Promise<boolean> {
  const ask = { method: "GET", headers: {}, repository: name.repository, to: "read metadata", signal } as const;
  const url = below(client.url, path);
  const { status, bytes } = await client.read({ ...ask, url, expect: [200, 404] }, SIDECAR_MAX_BYTES);
  if (status === 404) return false;
  requireData(bytes, { registry: client.label, ...ask });
  const found = digestInSidecar(bytes);
  if (found === content.digest) return true;
  throw new Refused(
    "name-taken",
    `${client.label}: ${name.repository} ${name.tag} is ${found ?? "something else"} there already, ` +
      `and may not be changed to ${content.digest}. Deliver under another version, or find out who wrote it.`,
  );
}
