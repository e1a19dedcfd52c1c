import { Readable } from "node:stream";
import type { Digest } from "../../../delivery/types.ts";
import type { Store } from "../../../store/store.ts";
import type { RegistryClient } from "./client.ts";

/**
 * Copies an image or index into the store, blobs before the manifest that lists them.
 * @returns false if the registry does not have it
 */
export async function restoreContent(
  client: RegistryClient,
  store: Store,
  repository: string,
  digest: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  const manifest = await client.getManifest(repository, digest, signal);
  if (manifest === null) return false;
  for (const child of manifest.children) {
    if (!(await restoreContent(client, store, repository, child.digest, signal))) return false;
  }
  for (const blob of manifest.blobs) {
    if (await store.has(blob.digest)) continue;
    const source = await client.getBlob(repository, blob, signal);
    await store.write(source, { expect: blob.digest, maxBytes: blob.size });
  }
  await store.write(Readable.from([manifest.bytes]), { expect: digest, maxBytes: manifest.bytes.length });
  return true;
}
