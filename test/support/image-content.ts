import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { Frozen } from "../../src/delivery/frozen.ts";
import { type Descriptor, readManifest } from "../../src/store/manifest.ts";
import type { Store } from "../../src/store/store.ts";

const mebibyte = 1024 * 1024;

/** Media types of the two families that registries know. */
const families = {
  docker: {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  },
  oci: {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    index: "application/vnd.oci.image.index.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  },
} as const;

export type Family = keyof typeof families;

/** Writes an image by hand, each layer a gzipped tar of one random file of so many bytes. */
export async function freezeImage(
  store: Store,
  { family = "docker", layers = [1000, 2000] }: { family?: Family; layers?: number[] } = {},
): Promise<Frozen> {
  const types = families[family];
  const made = await Promise.all(layers.map((size) => layerOf(size)));
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      config: {},
      rootfs: { type: "layers", diff_ids: made.map(({ diffId }) => diffId) },
    }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: await put(store, types.config, config),
    layers: await Promise.all(made.map(({ bytes }) => put(store, types.layer, bytes))),
  };
  return freezeManifest(store, manifest);
}

/** An image of one layer that is no tar, for its size alone. */
export async function freezeLarge(store: Store, size: number): Promise<Frozen> {
  const types = families.oci;
  const layer = { mediaType: types.layer, ...(await store.write(manyBytes(size), { maxBytes: size })) };
  const config = await put(store, types.config, Buffer.from('{"architecture":"amd64","os":"linux"}'));
  return freezeManifest(store, { schemaVersion: 2, mediaType: types.manifest, config, layers: [layer] });
}

/** An index of images that stand in the store. */
export async function freezeIndex(store: Store, images: Frozen[], family: Family = "oci"): Promise<Frozen> {
  const manifests = await Promise.all(
    images.map(async ({ digest, mediaType }, number) => ({
      mediaType,
      digest,
      size: await store.size(digest),
      platform: { os: "linux", architecture: number === 0 ? "amd64" : "arm64" },
    })),
  );
  return freezeManifest(store, { schemaVersion: 2, mediaType: families[family].index, manifests });
}

async function freezeManifest(store: Store, document: unknown): Promise<Frozen> {
  const bytes = Buffer.from(JSON.stringify(document, null, 3));
  const { digest, mediaType } = readManifest(bytes);
  await put(store, mediaType, bytes);
  return { digest, mediaType, size: (await store.contentOf(digest)).size };
}

/** A stream of so many bytes that never holds more than one chunk of them. */
export function manyBytes(size: number): Readable {
  const chunk = randomBytes(mebibyte);
  return Readable.from(
    (function* () {
      for (let left = size; left > 0; left -= chunk.length) {
        chunk.writeUInt32LE(left / 64, 0);
        yield Buffer.from(chunk.subarray(0, Math.min(left, chunk.length)));
      }
    })(),
    { objectMode: false },
  );
}

async function put(store: Store, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  return { mediaType, ...(await store.write(Readable.from([bytes]), { maxBytes: bytes.length })) };
}

async function layerOf(size: number): Promise<{ bytes: Buffer; diffId: string }> {
  const tar = pack();
  tar.entry({ name: "file", mtime: new Date(0) }, randomBytes(size));
  tar.finalize();
  const plain = await buffer(tar);
  return { bytes: gzipSync(plain, { level: 1 }), diffId: `sha256:${createHash("sha256").update(plain).digest("hex")}` };
}
