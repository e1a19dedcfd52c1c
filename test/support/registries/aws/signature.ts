import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

export interface Signed {
  method: string;
  /** Path and query, as sent. */
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Scope {
  accessKeyId: string;
  date: string;
  region: string;
  service: string;
  signedHeaders: string[];
  signature: string;
}

const form =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** Signature Version 4, as AWS documents it: "Create a signed AWS API request". Null: there is none, or of another form. */
export function readScope(headers: IncomingHttpHeaders): Scope | null {
  const parts = form.exec(headers.authorization ?? "");
  if (parts === null) return null;
  const [, accessKeyId = "", date = "", region = "", service = "", signed = "", signature = ""] = parts;
  return { accessKeyId, date, region, service, signedHeaders: signed.split(";"), signature };
}

/** Why AWS would not believe the request; null: it is signed with this secret. */
export function wrongSignature(request: Signed, scope: Scope, secret: string, mayBeUnsigned: boolean): string | null {
  const { headers, body } = request;
  const time = String(headers["x-amz-date"] ?? "");
  if (!time.startsWith(scope.date)) return "x-amz-date and the scope differ";
  const said = headers["x-amz-content-sha256"];
  const real = hash(body);
  if (said !== undefined && said !== real && !(said === "UNSIGNED-PAYLOAD" && mayBeUnsigned)) {
    return "x-amz-content-sha256 is not the body's";
  }
  const needed = Object.keys(headers).filter((name) => name === "host" || name.startsWith("x-amz-"));
  const missing = needed.find((name) => !scope.signedHeaders.includes(name));
  if (missing !== undefined) return `${missing} is not signed`;
  const place = `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, place, hash(canonical(request, scope, String(said ?? real)))].join("\n");
  const key = [scope.date, scope.region, scope.service, "aws4_request"].reduce<Buffer>(
    (previous, part) => hmac(previous, part),
    Buffer.from(`AWS4${secret}`),
  );
  const same = timingSafeEqual(hmac(key, text), Buffer.from(scope.signature, "hex"));
  return same ? null : "the signature does not match";
}

function canonical({ method, url, headers }: Signed, { signedHeaders }: Scope, payload: string): string {
  const { pathname, searchParams } = new URL(url, "http://any");
  const path = pathname
    .split("/")
    .map((segment) => encode(segment))
    .join("/");
  const pairs = [...searchParams].map(([name, value]) => [encode(name), encode(value)] as const);
  // By the names, not by what is before and after the "=".
  const query = pairs.sort(([a], [b]) => (a < b ? -1 : 1)).map((pair) => pair.join("="));
  const lines = signedHeaders.map((name) => `${name}:${String(headers[name] ?? "").trim()}\n`);
  return [method, path, query.join("&"), lines.join(""), signedHeaders.join(";"), payload].join("\n");
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hash(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}
