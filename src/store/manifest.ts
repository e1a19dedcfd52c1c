import * as z from "zod";
import { Refused } from "../delivery/errors.ts";
import type { Digest } from "../delivery/types.ts";
import { digestOf, isDigest } from "./digest.ts";

const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** The media types of manifests that deliverd accepts: Docker schema 2 and OCI, for an image or an index. */
export const MANIFEST_TYPES: readonly string[] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/** The limit of OCI distribution specification 1.1, "Pushing Manifests". */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** A content's type, digest and size, as manifests list it. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  /** Bytes. */
  size: number;
}

/** One manifest with its original bytes, from which the digest is computed. */
export interface Manifest extends Descriptor {
  bytes: Buffer;
  /** Config and layers of an image, each digest once. Empty for an index. */
  blobs: Descriptor[];
  /** Manifests of an index. Empty for an image. */
  children: Descriptor[];
}

const descriptor = z.object({
  mediaType: z.string().max(255),
  digest: z.string().refine(isDigest, "is not sha256:<64 hex>"),
  size: z.int().nonnegative(),
});
const document = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptor.optional(),
  layers: z.array(descriptor).optional(),
  manifests: z.array(descriptor).optional(),
});

/**
 * Reads a manifest of OCI image specification 1.1 or Docker schema 2.
 * @param mediaType the type that the sender gave. Left out: the document says its type
 * @throws Refused `manifest-invalid`
 */
export function readManifest(bytes: Buffer, mediaType?: string): Manifest {
  const read = document.safeParse(parseJson(bytes));
  if (!read.success) throw invalid(z.prettifyError(read.error));
  const { config, layers, manifests, mediaType: own } = read.data;
  if (mediaType !== undefined && own !== undefined && own !== mediaType) {
    throw invalid(`it was sent as ${mediaType}, but its mediaType is ${own}`);
  }
  // The field is optional in OCI. Then the lists in the document show its type.
  const type = mediaType ?? own ?? (manifests ? OCI_INDEX : OCI_MANIFEST);
  if (!MANIFEST_TYPES.includes(type)) throw invalid(`the media type ${type} is not accepted`);
  const isIndex = type === OCI_INDEX || type === DOCKER_LIST;
  // Readers would not agree on a document that is both an image and an index (CVE-2021-41190).
  if (isIndex ? !manifests || config || layers : !config || !layers || manifests) {
    throw invalid(`its entries do not fit ${type}`);
  }
  return {
    mediaType: type,
    digest: digestOf(bytes),
    size: bytes.length,
    bytes,
    blobs: config && layers ? once([config, ...layers]) : [],
    children: once(manifests ?? []),
  };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw invalid("it is not JSON");
  }
}

function once(descriptors: Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((each) => [each.digest, each])).values()];
}

function invalid(why: string): Refused {
  return new Refused("manifest-invalid", `This image manifest cannot be read: ${why}`);
}
