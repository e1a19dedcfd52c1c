import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { MAX_MANIFEST_BYTES, OCI_INDEX, OCI_MANIFEST } from "../store/manifest.ts";
import { discard } from "./receive-files.ts";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string };
}

/** The manifest of an image, or an index of images. */
export interface Manifest {
  mediaType?: string;
  manifests?: Descriptor[];
  config?: Descriptor;
  layers?: Descriptor[];
}

/** An image whose content was verified against its digest. */
export interface Image {
  digest: string;
  /** The size of its manifest in bytes. */
  size: number;
  /** Its manifest, and those that an index lists, by digest. */
  manifests: Map<string, Manifest>;
  /** The digests of all its blobs, including manifests. */
  blobs: Set<string>;
}

/**
 * Reads the tar of an OCI image layout (OCI image specification 1.1) and verifies it.
 * @param folder where the blobs are saved, each under the hexadecimal digits of its digest; if left out, they are not
 * saved
 * @throws Error if the manifest with this digest, or a blob that it lists, is missing, or if a blob has the wrong
 * digest
 */
export async function readLayout(content: Readable, digest: string, folder?: string): Promise<Image> {
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const archive = extract();
  const reading = pipeline(content, archive);
  // Where an entry cannot be saved, the archive is closed, and the pipeline knows only that.
  reading.catch(() => {});
  const found = await readEntries(archive, folder);
  await reading;
  const image: Image = { digest, size: 0, manifests: new Map(), blobs: new Set() };
  collectBlobs(digest, found.blobs, image);
  image.size = Buffer.byteLength(found.blobs.get(digest) ?? "");
  const listed = found.index === null ? null : (JSON.parse(found.index) as Manifest).manifests;
  if (listed && !listed.some((each) => each.digest === digest))
    throw new Error(`its index.json does not name ${digest}`);
  return image;
}

interface Entries {
  index: string | null;
  /** The blobs by digest: the text of those that may be a manifest, null for all others. */
  blobs: Map<string, string | null>;
}

/** @throws Error if a blob's digest is not the one in its name */
async function readEntries(archive: ReturnType<typeof extract>, folder: string | undefined): Promise<Entries> {
  const entries: Entries = { index: null, blobs: new Map() };
  for await (const entry of archive) {
    const { name, size = 0 } = entry.header;
    const [, hex] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name) ?? [];
    const hash = createHash("sha256");
    const kept: Buffer[] = [];
    const tap = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        if (size <= MAX_MANIFEST_BYTES) kept.push(chunk);
        done(null, chunk);
      },
    });
    const into = hex === undefined || folder === undefined ? discard() : createWriteStream(join(folder, hex));
    await pipeline(entry as unknown as Readable, tap, into);
    if (name === "index.json") entries.index = Buffer.concat(kept).toString();
    if (hex === undefined) continue;
    const found = hash.digest("hex");
    if (found !== hex) throw new Error(`the blob named sha256:${hex} has the digest sha256:${found}`);
    const text = size <= MAX_MANIFEST_BYTES && kept[0]?.[0] === 0x7b ? Buffer.concat(kept).toString() : null;
    entries.blobs.set(`sha256:${hex}`, text);
  }
  return entries;
}

/** Adds a manifest and everything it lists to the image. @throws Error if something is missing */
function collectBlobs(digest: string, blobs: Entries["blobs"], image: Image): void {
  const text = blobs.get(digest);
  if (text === undefined || text === null) throw new Error(`${digest} is not in it`);
  const manifest = JSON.parse(text) as Manifest;
  image.manifests.set(digest, manifest);
  image.blobs.add(digest);
  const { manifests = [], config, layers = [] } = manifest;
  for (const child of manifests) collectBlobs(child.digest, blobs, image);
  for (const blob of [...(config ? [config] : []), ...layers]) {
    if (!blobs.has(blob.digest)) throw new Error(`${blob.digest} is not in it`);
    image.blobs.add(blob.digest);
  }
}

/** The files `oci-layout` and `index.json` of a layout. @param annotations of the image in the index */
export function layoutFiles(image: Image, annotations: Record<string, string>): [name: string, text: string][] {
  const { digest, size, manifests } = image;
  const own = manifests.get(digest);
  const mediaType = own?.mediaType ?? (own?.manifests === undefined ? OCI_MANIFEST : OCI_INDEX);
  const index = {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [{ mediaType, digest, size, annotations }],
  };
  return [
    ["oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })],
    ["index.json", JSON.stringify(index)],
  ];
}
