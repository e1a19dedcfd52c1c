import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Pack } from "tar-stream";
import { Refused } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import type { Descriptor, Manifest } from "../../../store/manifest.ts";
import { writeTar } from "../write-tar.ts";
import type { RegistryClient } from "./client.ts";

/**
 * Streams an image or index as a tar of an OCI image layout (OCI image specification 1.1): oci-layout, index.json, blobs.
 * Each blob is verified as it passes; where one is wrong, the sink is destroyed with the reason before the tar ends.
 */
export async function pullLayout(
  client: RegistryClient,
  repository: string,
  image: { digest: Digest; tag: string },
  into: Writable,
  signal: AbortSignal,
): Promise<void> {
  const root = await client.getManifest(repository, image.digest, signal);
  if (!root)
    throw new Refused("content-gone", `${client.label}, repository ${repository} no longer has ${image.digest}.`);
  await writeTar(into, signal, async (tar) => {
    await addFile(tar, "oci-layout", Buffer.from(JSON.stringify({ imageLayoutVersion: "1.0.0" })));
    await addFile(tar, "index.json", Buffer.from(JSON.stringify(indexOf(root, image.tag))));
    await addManifest(client, repository, root, tar, new Set(), signal);
  });
}

/** What an index lists comes before it; blobs that images share come once. */
async function addManifest(
  client: RegistryClient,
  repository: string,
  manifest: Manifest,
  tar: Pack,
  added: Set<Digest>,
  signal: AbortSignal,
): Promise<void> {
  if (added.has(manifest.digest)) return;
  added.add(manifest.digest);
  for (const { digest } of manifest.children) {
    const child = await client.getManifest(repository, digest, signal);
    if (!child) throw new Refused("content-gone", `${client.label}, repository ${repository} no longer has ${digest}.`);
    await addManifest(client, repository, child, tar, added, signal);
  }
  for (const blob of manifest.blobs) {
    if (added.has(blob.digest)) continue;
    added.add(blob.digest);
    const source = await client.getBlob(repository, blob, signal);
    await pipeline(source, tar.entry({ ...entryOf(blob.digest), size: blob.size }), { signal });
  }
  await addFile(tar, entryOf(manifest.digest).name, manifest.bytes);
}

function addFile(tar: Pack, name: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry({ name, mtime: epoch }, bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** No time of its own, so that the same image always gives the same tar. */
const epoch = new Date(0);

function entryOf(digest: Digest) {
  return { name: `blobs/${digest.replace(":", "/")}`, mtime: epoch };
}

function indexOf(root: Descriptor, tag: string) {
  const { mediaType, digest, size } = root;
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ mediaType, digest, size, annotations: { "org.opencontainers.image.ref.name": tag } }],
  };
}
