import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { Refused } from "../../delivery/errors.ts";
import { isDigest } from "../digest.ts";
import { MANIFEST_TYPES, MAX_MANIFEST_BYTES, type Manifest, readManifest } from "../manifest.ts";
import type { Store } from "../store.ts";
import type { GrantState, Pushed } from "./grants.ts";
import { OciError, type Reply, readBody } from "./protocol.ts";

/** An image has one or a few names; more than this is no engine. */
const maxManifests = 1000;

/** PUT: freezes an image whose parts are all there. */
export async function putManifest(
  request: IncomingMessage,
  store: Store,
  holding: GrantState,
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
  if (holding.manifests.size >= maxManifests || holding.tags.size >= maxManifests) {
    throw new OciError(429, "TOOMANYREQUESTS", `no more than ${maxManifests} manifests in one delivery`);
  }
  const { bytes, digest } = manifest;
  await store.write(Readable.from([bytes]), { expect: digest, maxBytes: MAX_MANIFEST_BYTES });
  const pushed: Pushed = { digest, mediaType, size: (await store.contentOf(digest)).size };
  holding.manifests.set(digest, pushed);
  if (!isDigest(reference)) holding.tags.set(reference, pushed);
  return {
    status: 201,
    headers: { Location: `/v2/${holding.repository}/manifests/${digest}`, "Docker-Content-Digest": digest },
  };
}

/** HEAD: what this very grant pushed; no other's names can be asked for. */
export async function headManifest(store: Store, holding: GrantState, reference: string): Promise<Reply> {
  const pushed = holding.manifests.get(reference) ?? holding.tags.get(reference);
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

/** A size that lies would break every client that pulls the image later, so it is checked while there is still somebody to tell. */
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
