import type { Writable } from "node:stream";
import { Refused } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import { type Descriptor, type Manifest, OCI_INDEX } from "../../../store/manifest.ts";
import { type TarEntry, writeTar } from "../../../store/tar.ts";
import type { RegistryClient } from "./client.ts";

/**
 * Streams an image or index as a tar of an OCI image layout (OCI image specification 1.1): oci-layout, index.json,
 * blobs. Each blob is verified as it passes. If one is wrong, the sink is destroyed with the error before the tar ends.
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
  const layout = [
    fileOf("oci-layout", Buffer.from(JSON.stringify({ imageLayoutVersion: "1.0.0" }))),
    fileOf("index.json", Buffer.from(JSON.stringify(indexOf(root, image.tag)))),
  ];
  await writeTar(into, signal, [...layout, ...(await entriesOf(client, repository, root, new Set(), signal))]);
}

/** The tar entries of an image or index. What an index lists comes before the index; shared blobs come once. */
async function entriesOf(
  client: RegistryClient,
  repository: string,
  manifest: Manifest,
  seen: Set<Digest>,
  signal: AbortSignal,
): Promise<TarEntry[]> {
  if (seen.has(manifest.digest)) return [];
  seen.add(manifest.digest);
  const entries: TarEntry[] = [];
  for (const { digest } of manifest.children) {
    const child = await client.getManifest(repository, digest, signal);
    if (!child) throw new Refused("content-gone", `${client.label}, repository ${repository} no longer has ${digest}.`);
    entries.push(...(await entriesOf(client, repository, child, seen, signal)));
  }
  for (const blob of manifest.blobs) {
    if (seen.has(blob.digest)) continue;
    seen.add(blob.digest);
    const bytes = () => client.getBlob(repository, blob, signal);
    entries.push({ name: pathOf(blob.digest), size: blob.size, bytes });
  }
  return [...entries, fileOf(pathOf(manifest.digest), manifest.bytes)];
}

function fileOf(name: string, bytes: Buffer): TarEntry {
  return { name, size: bytes.length, bytes };
}

function pathOf(digest: Digest): string {
  return `blobs/${digest.replace(":", "/")}`;
}

function indexOf(root: Descriptor, tag: string) {
  const { mediaType, digest, size } = root;
  return {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [{ mediaType, digest, size, annotations: { "org.opencontainers.image.ref.name": tag } }],
  };
}
