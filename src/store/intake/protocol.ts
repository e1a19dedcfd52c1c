import type { IncomingMessage } from "node:http";
import { TAG_PATTERN } from "../../delivery/oci-names.ts";

/** An answer of the intake. */
export interface Reply {
  status: number;
  headers?: Record<string, string | number>;
  /** Sent as JSON. */
  body?: unknown;
}

/** An error of OCI distribution specification 1.1, "Error Codes". */
export class OciError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Record<string, string>;
  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** Reads a whole body of limited size. @throws OciError 413 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new OciError(413, "SIZE_INVALID", `at most ${maxBytes} bytes are accepted here`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What a request asks for. */
export type Route =
  | { kind: "version" }
  | {
      kind: "blob" | "uploads" | "upload" | "manifest";
      repository: string;
      /** The blob's digest, the upload's id, or the manifest's tag or digest. */
      what: string;
      query: URLSearchParams;
    };

const name = "([a-z0-9][a-z0-9._/-]{0,254})";
const ROUTES = [
  { kind: "uploads", path: new RegExp(`^/v2/${name}/blobs/uploads/?$`) },
  { kind: "upload", path: new RegExp(`^/v2/${name}/blobs/uploads/([0-9a-f-]{36})$`) },
  { kind: "blob", path: new RegExp(`^/v2/${name}/blobs/(sha256:[0-9a-f]{64})$`) },
  {
    kind: "manifest",
    path: new RegExp(`^/v2/${name}/manifests/(sha256:[0-9a-f]{64}|${TAG_PATTERN})$`),
  },
] as const;

/** Reads the raw path. Nothing is decoded, so that no encoding can hide anything. Null: there is no such path. */
export function routeOf(target: string): Route | null {
  const mark = target.includes("?") ? target.indexOf("?") : target.length;
  const path = target.slice(0, mark);
  if (path === "/v2/" || path === "/v2") return { kind: "version" };
  for (const place of ROUTES) {
    const [whole, repository = "", what = ""] = place.path.exec(path) ?? [];
    if (whole) return { kind: place.kind, repository, what, query: new URLSearchParams(target.slice(mark)) };
  }
  return null;
}
