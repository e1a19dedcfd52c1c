import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { Refused } from "../../delivery/errors.ts";
import { isDigest } from "../digest.ts";
import { MANIFEST_TYPES, MAX_MANIFEST_BYTES, type Manifest, readManifest } from "../manifest.ts";
import type { Store } from "../store.ts";
import type { GrantState, Pushed } from "./grants.ts";
import { OciError, type Reply, readBody } from "./protocol.ts";

/** An image has only a few manifests and names. */
const MAX_MANIFESTS = 1000;

/** PUT: freezes an image if all its parts were sent. */
export async function putManifest(
  request: IncomingMessage,
  store: Store,
  grant: GrantState,
  reference: string,
): Promise<Reply> {
  const mediaType = (request.headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
  if (!MANIFEST_TYPES.includes(mediaType)) {
    throw new OciError(415, "MANIFEST_INVALID", `Content-Type must be one of ${MANIFEST_TYPES.join(", ")}`);
  }
  const manifest = understand(await readBody(request, MAX_MANIFEST_BYTES), mediaType);
  if (isDigest(reference) && reference !== manifest.digest) {
    throw new OciError(400, "DIGEST_INVALID", `these bytes are ${manifest.digest}`);
  }
  await requireParts(store, manifest);
  if (grant.manifests.size >= MAX_MANIFESTS || grant.tags.size >= MAX_MANIFESTS) {
    throw new OciError(429, "TOOMANYREQUESTS", `no more than ${MAX_MANIFESTS} manifests in one delivery`);
  }
  const { bytes, digest } = manifest;
  await store.write(Readable.from([bytes]), { expect: digest, maxBytes: MAX_MANIFEST_BYTES });
  const pushed: Pushed = { digest, mediaType, size: (await store.contentOf(digest)).size };
  grant.manifests.set(digest, pushed);
  if (!isDigest(reference)) grant.tags.set(reference, pushed);
  return {
    status: 201,
    headers: { Location: `/v2/${grant.repository}/manifests/${digest}`, "Docker-Content-Digest": digest },
  };
}

/** HEAD: what this grant pushed. Names of other grants cannot be asked for. */
export async function headManifest(store: Store, grant: GrantState, reference: string): Promise<Reply> {
  const pushed = grant.manifests.get(reference) ?? grant.tags.get(reference);
  const size = pushed && (await store.size(pushed.digest));
  if (!pushed || size === null || size === undefined) {
    throw new OciError(404, "MANIFEST_UNKNOWN", "nothing was pushed under this name");
  }
  return {
    status: 200,
    headers: { "Content-Length": size, "Content-Type": pushed.mediaType, "Docker-Content-Digest": pushed.digest },
  };
}

function understand(bytes: Buffer, mediaType: string): Manifest {
  try {
    return readManifest(bytes, mediaType);
  } catch (error) {
    if (error instanceof Refused) throw new OciError(400, "MANIFEST_INVALID", error.message);
    throw error;
  }
}

/**
 * Requires all parts, with the right sizes. A wrong size would break every later pull, and now the sender can still be
 * told.
 */
async function requireParts(store: Store, manifest: Manifest): Promise<void> {
  for (const part of [...manifest.blobs, ...manifest.children]) {
    const size = await store.size(part.digest);
    if (size === null) {
      throw new OciError(400, "MANIFEST_BLOB_UNKNOWN", `${part.digest} was not sent`);
    }
    if (size !== part.size) {
      throw new OciError(400, "MANIFEST_INVALID", `${part.digest} has ${size} bytes, not ${part.size}`);
    }
  }
}
