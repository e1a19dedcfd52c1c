import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TransientError } from "../../delivery/errors.ts";
import { isDigest } from "../digest.ts";
import type { Store } from "../store.ts";
import type { GrantState, Upload } from "./grants.ts";
import { OciError, type Reply } from "./protocol.ts";

/** The engine sends 5 layers at once; more than this is no engine. */
const maxUploads = 50;

/** Says only that the store has it, whoever brought it: that is what makes pushes cheap, and no byte can be read here. */
export async function headBlob(store: Store, digest: string): Promise<Reply> {
  const size = await store.size(digest);
  if (size === null) throw new OciError(404, "BLOB_UNKNOWN", "the store does not have this blob");
  // The engine will not send it: it must still be there when the manifest comes.
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

/** POST: mounts what the store has, else begins an upload. */
export async function beginUpload(store: Store, holding: GrantState, query: URLSearchParams): Promise<Reply> {
  const mount = query.get("mount");
  if (mount !== null && isDigest(mount) && (await store.has(mount))) {
    await store.touch(mount);
    return stored(holding, mount);
  }
  if (holding.tooLarge) throw tooLarge(holding);
  if (holding.uploads.size >= maxUploads) {
    throw new OciError(429, "TOOMANYREQUESTS", `no more than ${maxUploads} uploads at once`);
  }
  const id = randomUUID();
  holding.uploads.set(id, { incoming: await store.receive(), busy: false });
  return progress(holding, id, 0, 202);
}

/** PATCH: the next bytes. */
export async function addToUpload(request: IncomingMessage, holding: GrantState, id: string): Promise<Reply> {
  const upload = find(holding, id);
  await exclusively(upload, () => append(request, holding, id, upload));
  return progress(holding, id, upload.incoming.size, 202);
}

/** PUT: the last bytes, or none, and the digest of all. */
export async function endUpload(
  request: IncomingMessage,
  store: Store,
  holding: GrantState,
  id: string,
  query: URLSearchParams,
): Promise<Reply> {
  const upload = find(holding, id);
  const digest = query.get("digest") ?? "";
  if (!isDigest(digest)) throw new OciError(400, "DIGEST_INVALID", "digest must be sha256:<64 hex>");
  return exclusively(upload, async () => {
    await append(request, holding, id, upload);
    holding.uploads.delete(id);
    try {
      await store.keep(upload.incoming, digest);
    } catch (error) {
      holding.usedBytes -= upload.incoming.size;
      if (error instanceof TransientError && error.code === "digest-mismatch") {
        throw new OciError(400, "DIGEST_INVALID", error.message);
      }
      throw error;
    }
    return stored(holding, digest);
  });
}

/** GET: how far it came, for a sender that was cut off. */
export function uploadStatus(holding: GrantState, id: string): Reply {
  return progress(holding, id, find(holding, id).incoming.size, 204);
}

/** DELETE. */
export async function cancelUpload(holding: GrantState, id: string): Promise<Reply> {
  const upload = find(holding, id);
  await exclusively(upload, () => drop(holding, id, upload));
  return { status: 204 };
}

async function append(request: IncomingMessage, holding: GrantState, id: string, upload: Upload): Promise<void> {
  const next = upload.incoming.size;
  const start = /^(?:bytes[ =])?(\d{1,15})-/.exec(request.headers["content-range"] ?? "")?.[1];
  if (start !== undefined && Number(start) !== next) {
    throw new OciError(416, "BLOB_UPLOAD_INVALID", `the next byte is number ${next}`, { Range: range(next) });
  }
  try {
    await upload.incoming.append(request, (bytes) => spend(holding, bytes));
  } catch (error) {
    // Over the limit, or half a chunk written and its hash not: nobody can go on from there. After a cut connection one can.
    if (error instanceof OciError || error instanceof TransientError) await drop(holding, id, upload);
    throw error;
  }
}

/** Counted as bytes come, so that uploads side by side share one allowance. */
function spend(holding: GrantState, bytes: number): void {
  if (holding.usedBytes + bytes > holding.maxBytes) {
    holding.tooLarge = true;
    throw tooLarge(holding);
  }
  holding.usedBytes += bytes;
}

/** Docker tries an upload five times over 45 s, except after codes such as DENIED (20.10, distribution/errors.go, retryOnError). */
function tooLarge({ maxBytes }: GrantState): OciError {
  return new OciError(413, "DENIED", `one delivery may add ${maxBytes} bytes, and this goes over it`);
}

async function drop(holding: GrantState, id: string, upload: Upload): Promise<void> {
  holding.uploads.delete(id);
  holding.usedBytes -= upload.incoming.size;
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

function find(holding: GrantState, id: string): Upload {
  const upload = holding.uploads.get(id);
  if (!upload) throw new OciError(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload");
  return upload;
}

function progress(holding: GrantState, id: string, size: number, status: number): Reply {
  return {
    status,
    headers: {
      Location: `/v2/${holding.repository}/blobs/uploads/${id}`,
      "Docker-Upload-UUID": id,
      Range: range(size),
    },
  };
}

/** Docker's own form for "nothing yet" is `0-0`. */
function range(size: number): string {
  return `0-${Math.max(0, size - 1)}`;
}

function stored(holding: GrantState, digest: string): Reply {
  return {
    status: 201,
    headers: { Location: `/v2/${holding.repository}/blobs/${digest}`, "Docker-Content-Digest": digest },
  };
}
