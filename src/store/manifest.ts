import * as z from "zod";
import { Refused } from "../delivery/errors.ts";
import type { Digest } from "../delivery/types.ts";
import { digestOf, isDigest } from "./digest.ts";

const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** What an `Accept` header names and the intake takes: Docker schema 2 and OCI, an image or an index of images. */
export const MANIFEST_TYPES: readonly string[] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/** Registries and engines agree on this limit (OCI distribution specification 1.1, "Pushing Manifests"). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** A content by digest, as manifests name it. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  /** Bytes. */
  size: number;
}

/** One manifest, its bytes kept as they came: the digest is theirs. */
export interface Manifest extends Descriptor {
  bytes: Buffer;
  /** Config and layers of an image, each digest once; empty for an index. */
  blobs: Descriptor[];
  /** Manifests of an index; empty for an image. */
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
 * @param mediaType what the sender says it is; left out, the document says it itself
 * @throws Refused `manifest-invalid`
 */
export function readManifest(bytes: Buffer, mediaType?: string): Manifest {
  const read = document.safeParse(parseJson(bytes));
  if (!read.success) throw invalid(z.prettifyError(read.error));
  const { config, layers, manifests, mediaType: own } = read.data;
  if (mediaType !== undefined && own !== undefined && own !== mediaType) {
    throw invalid(`it was sent as ${mediaType} and says ${own} of itself`);
  }
  // OCI leaves the field optional: then what it lists tells.
  const type = mediaType ?? own ?? (manifests ? OCI_INDEX : OCI_MANIFEST);
  if (!MANIFEST_TYPES.includes(type)) throw invalid(`the media type ${type} is not taken`);
  const isIndex = type === OCI_INDEX || type === DOCKER_LIST;
  // A document that is both an image and an index means different things to different readers (CVE-2021-41190).
  if (isIndex ? !manifests || config || layers : !config || !layers || manifests) {
    throw invalid(`what it lists does not fit ${type}`);
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
