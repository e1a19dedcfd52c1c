import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Refused } from "../../delivery/errors.ts";
import { BUNDLE_TYPE } from "../../delivery/proof/attachment.ts";
import type { Digest } from "../../delivery/types.ts";
import { digestOf, isDigest } from "../../store/digest.ts";
import { type Descriptor, type Manifest, readManifest } from "../../store/manifest.ts";
import { hashOf } from "./hash.ts";
import type { FoundBundle, Target } from "./target.ts";

/**
 * The image of a folder with an OCI layout, and the referrers that are beside it there.
 * @throws Refused `proof-content-differs` if a blob is missing or has other bytes
 */
export async function readLayoutFolder(folder: string): Promise<Target> {
  const index = JSON.parse((await readPart(folder, "index.json")).toString()) as { manifests?: Descriptor[] };
  const roots = new Map<Digest, Manifest>();
  for (const { digest } of index.manifests ?? []) roots.set(digest, await manifestIn(folder, digest));
  const images = [...roots.values()].filter((manifest) => subjectOf(manifest) === null);
  const [image, ...others] = images;
  if (image === undefined || others.length > 0)
    throw differs(folder, `it holds ${images.length} images, and exactly one is expected`);
  await requireWhole(folder, image);
  const bundles: FoundBundle[] = [];
  for (const manifest of roots.values()) {
    const layer = manifest.blobs.find(({ mediaType }) => mediaType === BUNDLE_TYPE);
    if (layer === undefined || subjectOf(manifest) !== image.digest) continue;
    const text = (await readPart(folder, pathOf(folder, layer.digest))).toString();
    bundles.push({ from: `${folder} ${manifest.digest}`, text });
  }
  return { label: folder, digests: [image.digest], bundles, bytes: "every blob of the layout was hashed" };
}

async function requireWhole(folder: string, manifest: Manifest): Promise<void> {
  for (const { digest } of manifest.children) await requireWhole(folder, await manifestIn(folder, digest));
  for (const { digest } of manifest.blobs) {
    const found = await hashOf(join(folder, pathOf(folder, digest))).catch(() => {
      throw differs(folder, `${digest} is missing`);
    });
    if (found.digest !== digest) throw differs(folder, `the bytes of ${digest} have the digest ${found.digest}`);
  }
}

async function manifestIn(folder: string, digest: Digest): Promise<Manifest> {
  const bytes = await readPart(folder, pathOf(folder, digest));
  const found = digestOf(bytes);
  if (found !== digest) throw differs(folder, `the bytes of ${digest} have the digest ${found}`);
  return readManifest(bytes);
}

function subjectOf({ bytes }: Manifest): Digest | null {
  const { subject } = JSON.parse(bytes.toString()) as { subject?: Descriptor };
  return subject?.digest ?? null;
}

function pathOf(folder: string, digest: Digest): string {
  // The digest becomes part of a path.
  if (!isDigest(digest)) throw differs(folder, "it names a digest that is none");
  return join("blobs", "sha256", digest.slice("sha256:".length));
}

async function readPart(folder: string, path: string): Promise<Buffer> {
  return readFile(join(folder, path)).catch(() => {
    throw differs(folder, `${path} is missing`);
  });
}

function differs(folder: string, why: string): Refused {
  return new Refused("proof-content-differs", `${folder} is not the OCI layout of an image: ${why}.`);
}
