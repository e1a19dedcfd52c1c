import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TransientError } from "../../delivery/errors.ts";
import { isDigest } from "../digest.ts";
import type { Store } from "../store.ts";
import type { GrantState, Upload } from "./grants.ts";
import { OciError, type Reply } from "./protocol.ts";

/** An engine sends 5 layers at a time. */
const MAX_UPLOADS = 50;

/** HEAD: whether the store has a blob, from any build. It makes pushes cheap, and no byte can be read. */
export async function headBlob(store: Store, digest: string): Promise<Reply> {
  const size = await store.size(digest);
  if (size === null) throw new OciError(404, "BLOB_UNKNOWN", "the store does not have this blob");
  // The engine will not send the blob, so it must still exist when the manifest comes.
  await store.touch(digest);
  return {
    status: 200,
    headers: {
      "Content-Length": size,
      "Content-Type": "application/octet-stream",
      "Docker-Content-Digest": digest,
    },
  };
}

/** POST: mounts a blob that the store has, or starts an upload. */
export async function beginUpload(store: Store, grant: GrantState, query: URLSearchParams): Promise<Reply> {
  const mount = query.get("mount");
  if (mount !== null && isDigest(mount) && (await store.has(mount))) {
    await store.touch(mount);
    return stored(grant, mount);
  }
  if (grant.tooLarge) throw tooLarge(grant);
  if (grant.uploads.size >= MAX_UPLOADS) {
    throw new OciError(429, "TOOMANYREQUESTS", `no more than ${MAX_UPLOADS} uploads at once`);
  }
  const id = randomUUID();
  grant.uploads.set(id, { incoming: await store.receive(), busy: false });
  return progress(grant, id, 0, 202);
}

/** PATCH: the next bytes. */
export async function addToUpload(request: IncomingMessage, grant: GrantState, id: string): Promise<Reply> {
  const upload = find(grant, id);
  await exclusively(upload, () => append(request, grant, id, upload));
  return progress(grant, id, upload.incoming.size, 202);
}

/** PUT: the last bytes, if any, and the digest of the blob. */
export async function endUpload(
  request: IncomingMessage,
  store: Store,
  grant: GrantState,
  id: string,
  query: URLSearchParams,
): Promise<Reply> {
  const upload = find(grant, id);
  const digest = query.get("digest") ?? "";
  if (!isDigest(digest)) throw new OciError(400, "DIGEST_INVALID", "digest must be sha256:<64 hex>");
  return exclusively(upload, async () => {
    await append(request, grant, id, upload);
    grant.uploads.delete(id);
    try {
      await store.keep(upload.incoming, digest);
    } catch (error) {
      grant.usedBytes -= upload.incoming.size;
      if (error instanceof TransientError && error.code === "digest-mismatch") {
        throw new OciError(400, "DIGEST_INVALID", error.message);
      }
      throw error;
    }
    return stored(grant, digest);
  });
}

/** GET: how much was received, for a sender that was cut off. */
export function uploadStatus(grant: GrantState, id: string): Reply {
  return progress(grant, id, find(grant, id).incoming.size, 204);
}

/** DELETE: cancels an upload. */
export async function cancelUpload(grant: GrantState, id: string): Promise<Reply> {
  const upload = find(grant, id);
  await exclusively(upload, () => drop(grant, id, upload));
  return { status: 204 };
}

async function append(request: IncomingMessage, grant: GrantState, id: string, upload: Upload): Promise<void> {
  const next = upload.incoming.size;
  const start = /^(?:bytes[ =])?(\d{1,15})-/.exec(request.headers["content-range"] ?? "")?.[1];
  if (start !== undefined && Number(start) !== next) {
    throw new OciError(416, "BLOB_UPLOAD_INVALID", `the next byte is number ${next}`, { Range: range(next) });
  }
  try {
    await upload.incoming.append(request, (bytes) => spend(grant, bytes));
  } catch (error) {
    // Over the limit, or with half a chunk written, an upload cannot continue. After a cut connection it can.
    if (error instanceof OciError || error instanceof TransientError) await drop(grant, id, upload);
    throw error;
  }
}

/** Counts bytes as they come, so that parallel uploads share one limit. */
function spend(grant: GrantState, bytes: number): void {
  if (grant.usedBytes + bytes > grant.maxBytes) {
    grant.tooLarge = true;
    throw tooLarge(grant);
  }
  grant.usedBytes += bytes;
}

/** Docker retries an upload five times in 45 s, but not after DENIED (20.10, distribution/errors.go, retryOnError). */
function tooLarge({ maxBytes }: GrantState): OciError {
  return new OciError(413, "DENIED", `one delivery may add at most ${maxBytes} bytes`);
}

async function drop(grant: GrantState, id: string, upload: Upload): Promise<void> {
  grant.uploads.delete(id);
  grant.usedBytes -= upload.incoming.size;
  await upload.incoming.discard();
}

async function exclusively<T>(upload: Upload, work: () => Promise<T>): Promise<T> {
  if (upload.busy) throw new OciError(409, "BLOB_UPLOAD_INVALID", "another request is writing to this upload");
  upload.busy = true;
  try {
    return await work();
  } finally {
    upload.busy = false;
  }
}

function find(grant: GrantState, id: string): Upload {
  const upload = grant.uploads.get(id);
  if (!upload) throw new OciError(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload");
  return upload;
}

function progress(grant: GrantState, id: string, size: number, status: number): Reply {
  return {
    status,
    headers: {
      Location: `/v2/${grant.repository}/blobs/uploads/${id}`,
      "Docker-Upload-UUID": id,
      Range: range(size),
    },
  };
}

/** Docker writes "nothing yet" as `0-0`. */
function range(size: number): string {
  return `0-${Math.max(0, size - 1)}`;
}

function stored(grant: GrantState, digest: string): Reply {
  return {
    status: 201,
    headers: { Location: `/v2/${grant.repository}/blobs/${digest}`, "Docker-Content-Digest": digest },
  };
}
