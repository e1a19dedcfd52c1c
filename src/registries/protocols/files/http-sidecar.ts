import { Refused } from "../../../delivery/errors.ts";
import type { HttpClient } from "../http/client.ts";
import { requireData } from "../http/failures.ts";
import { below } from "../http/paths.ts";
import type { VersionUpload } from "./shelf.ts";
import { digestInSidecar, SIDECAR_MAX_BYTES } from "./sidecar.ts";

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
