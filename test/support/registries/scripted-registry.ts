import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface Asked {
  method: string;
  /** With its query, as it came over the wire. */
  target: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string | undefined>;
  body: Buffer;
  /** What the token of this request allows, as `repository:acme/a:pull,push`. */
  scopes: string[];
}

export interface Reply {
  status: number;
  headers?: Record<string, string | string[]> | undefined;
  body?: string | Buffer | undefined;
}

export interface ScriptedRegistry {
  url: string;
  asked: Asked[];
  /** By `<repository>:<tag or digest>`. */
  manifests: Map<string, { type: string; bytes: Buffer }>;
  /** By `<repository>@<digest>`. */
  blobs: Map<string, Buffer>;
  /** What this registry does in its own way; `act` is what an honest one does and answers. */
  quirk: (asked: Asked, act: () => Reply) => Reply;
  stop(): Promise<void>;
}

export const LOGIN = { username: "ci", password: "s3cret-canary-crooked" };
const BASIC = `Basic ${Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString("base64")}`;

/**
 * OCI distribution 1.1 with tokens, as much as a client of it uses, in memory and over a real socket. It answers as the
 * specification says, and refuses what it forbids (a blob whose digest is wrong, a manifest whose blobs are missing, an
 * unknown login): each test bends one thing of it.
 */
export async function startScriptedRegistry({ auth = false } = {}): Promise<ScriptedRegistry> {
  const uploads = new Set<string>();
  const server = createServer(async (request, response) => {
    const { method = "", url: target = "", headers } = request;
    const { pathname: path, searchParams: query } = new URL(target, "http://127.0.0.1");
    const body = await buffer(request).catch(() => Buffer.alloc(0));
    const scopes = readToken(headers.authorization);
    const asked = { method, target, path, query, headers: headers as Asked["headers"], body, scopes };
    registry.asked.push(asked);
    const { status, headers: told = {}, body: said } = registry.quirk(asked, () => act(asked));
    response.writeHead(status, told).end(method === "HEAD" ? undefined : said);
  });

  function act(asked: Asked): Reply {
    if (asked.path === "/token") return giveToken(asked);
    if (auth && asked.headers.authorization?.startsWith("Bearer ") !== true) return challenge(registry.url);
    if (asked.path === "/v2/") return { status: 200, body: "{}" };
    const [, name = "", kind = "", reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs)\/([^/]*)$/.exec(asked.path) ?? [];
    const isWrite = !["GET", "HEAD"].includes(asked.method);
    if (auth && !allows(asked.scopes, name, isWrite ? "push" : "pull")) return challenge(registry.url);
    if (kind === "manifests") return manifest(asked, name, reference);
    if (kind === "blobs") return blob(registry.blobs.get(`${name}@${reference}`));
    if (kind === "blobs/uploads") return upload(asked, name, reference);
    return { status: 404, body: "404 page not found" };
  }

  function manifest({ method, body, headers }: Asked, name: string, reference: string): Reply {
    if (method === "PUT") {
      const { config, layers = [], manifests = [] } = JSON.parse(body.toString());
      const lacks = [config, ...layers].some((each) => each && !registry.blobs.has(`${name}@${each.digest}`));
      const lacksChild = manifests.some(
        (each: { digest: string }) => !registry.manifests.has(`${name}:${each.digest}`),
      );
      if (lacks || lacksChild) return error(400, "MANIFEST_BLOB_UNKNOWN");
      const kept = { type: headers["content-type"] ?? "", bytes: body };
      for (const each of [reference, digestOf(body)]) registry.manifests.set(`${name}:${each}`, kept);
      return { status: 201, headers: { "Docker-Content-Digest": digestOf(body) } };
    }
    const found = registry.manifests.get(`${name}:${reference}`);
    if (found === undefined) return error(404, "MANIFEST_UNKNOWN");
    const { type, bytes } = found;
    return { status: 200, headers: { "Content-Type": type, "Docker-Content-Digest": digestOf(bytes) }, body: bytes };
  }

  function upload({ method, query, body }: Asked, name: string, id: string): Reply {
    if (method === "POST") {
      const [mount, from] = [query.get("mount"), query.get("from")];
      const held = registry.blobs.get(`${from}@${mount}`);
      if (held !== undefined) {
        registry.blobs.set(`${name}@${mount}`, held);
        return { status: 201, headers: { Location: `/v2/${name}/blobs/${mount}` } };
      }
      const fresh = randomUUID();
      uploads.add(fresh);
      return { status: 202, headers: { Location: `/v2/${name}/blobs/uploads/${fresh}?_state=a%2Bb` } };
    }
    if (!uploads.has(id)) return error(404, "BLOB_UPLOAD_UNKNOWN");
    uploads.delete(id);
    if (method === "DELETE") return { status: 204 };
    if (query.get("digest") !== digestOf(body)) return error(400, "DIGEST_INVALID");
    registry.blobs.set(`${name}@${digestOf(body)}`, body);
    return { status: 201 };
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const registry: ScriptedRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    manifests: new Map(),
    blobs: new Map(),
    quirk: (_, honest) => honest(),
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return registry;
}

export function error(status: number, code: string, message = code.toLowerCase()): Reply {
  return { status, body: JSON.stringify({ errors: [{ code, message }] }) };
}

export function challenge(url: string): Reply {
  const header = `Bearer realm="${url}/token",service="crooked"`;
  return { ...error(401, "UNAUTHORIZED"), headers: { "WWW-Authenticate": header } };
}

function blob(found: Buffer | undefined): Reply {
  return found === undefined ? error(404, "BLOB_UNKNOWN") : { status: 200, body: found };
}

function giveToken({ headers, method, query, body }: Asked): Reply {
  const form = new URLSearchParams(body.toString());
  const isForm = method === "POST" && form.get("grant_type") === "password" && form.get("password") === LOGIN.password;
  if (headers.authorization !== BASIC && !isForm) return error(401, "UNAUTHORIZED");
  const scopes = isForm ? (form.get("scope") ?? "").split(" ") : query.getAll("scope");
  return { status: 200, body: JSON.stringify({ token: tokenFor(scopes), expires_in: 300 }) };
}

/** It says itself what it allows, as a JWT does. */
export function tokenFor(scopes: string[]): string {
  return Buffer.from(JSON.stringify(scopes)).toString("base64url");
}

function readToken(authorization = ""): string[] {
  const [scheme, token = ""] = authorization.split(" ");
  if (scheme !== "Bearer") return [];
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString()) as string[];
  } catch {
    return [];
  }
}

function allows(scopes: string[], name: string, action: string): boolean {
  return scopes.some((scope) => {
    const [type, resource, actions = ""] = scope.split(":");
    return type === "repository" && resource === name && actions.split(",").includes(action);
  });
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
