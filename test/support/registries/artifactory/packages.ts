import { createHash } from "node:crypto";
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { No } from "./answer.ts";
import type { ArtifactoryStandIn } from "./server.ts";

/** Real servers behind the package endpoints, by what stands before their own paths. */
export interface Backends {
  /** Of a docker-registry, without a login of its own. */
  docker?: string;
  /** Of an npm registry that takes the bearer token `npmToken`. */
  npm?: string;
  npmToken?: string;
  /** Of an index that takes uploads at `/legacy/` and shows them under `/simple/`. */
  pypi?: string;
  pypiLogin?: string;
}

const OCI_TYPES = [
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
];

/** @returns false: it is for no package endpoint */
export async function passOn(
  self: ArtifactoryStandIn,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const { method = "GET", url = "" } = request;
  const [, docker] = /^\/v2\/([^/]+)\//.exec(url) ?? [];
  if (url === "/v2/" || (docker !== undefined && self.storage.types.get(docker) === "docker")) {
    demandRight(self, method);
    const [, name, tag] = /^\/v2\/(.+)\/manifests\/([^:]+)$/.exec(url) ?? [];
    const keep = async (status: number) => {
      if (method === "PUT" && status === 201 && name && tag) await keepImage(self, name, tag);
    };
    await relay(request, response, `${backend(self, "docker")}${url}`, {}, { keep });
    return true;
  }
  const [, type, repository = "", rest = ""] = /^\/artifactory\/api\/(npm|pypi)\/([^/]+)(\/.*)?$/.exec(url) ?? [];
  if (type === undefined) return false;
  if (self.storage.types.get(repository) !== type) throw new No(404, `no ${type} repository ${repository}`);
  demandRight(self, method);
  if (type === "npm") await npm(self, request, response, repository, rest);
  else await pypi(self, request, response, repository, rest);
  return true;
}

function demandRight({ rights }: ArtifactoryStandIn, method: string): void {
  if (!rights.deploy && method !== "GET" && method !== "HEAD") throw new No(403, "not enough permissions to deploy");
}

function backend({ backends }: ArtifactoryStandIn, type: "docker" | "npm" | "pypi"): string {
  const url = backends[type];
  if (url === undefined) throw new No(404, `nothing stands behind ${type}`);
  return url;
}

/** Its own layout keeps the scope in a tarball's name too, and its documents name tarballs so. */
async function npm(
  self: ArtifactoryStandIn,
  request: IncomingMessage,
  response: ServerResponse,
  repository: string,
  path: string,
): Promise<void> {
  const { method, headers } = request;
  const kept = self.storage.files.get(`${repository}${decodeURIComponent(path)}`);
  if (kept !== undefined && (method === "GET" || method === "HEAD")) {
    response.writeHead(200, { "content-length": kept.bytes.length }).end(kept.bytes);
    return;
  }
  const body = method === "PUT" ? await buffer(request) : undefined;
  const { authorization: _login, host, ...own } = headers;
  const answer = await fetch(`${backend(self, "npm")}${path}`, {
    method: method ?? "GET",
    headers: {
      accept: own.accept ?? "*/*",
      "content-type": "application/json",
      authorization: `Bearer ${self.backends.npmToken}`,
    },
    ...(body !== undefined && { body }),
  });
  const document = (await answer.json()) as {
    versions?: Record<string, { name: string; version: string; dist: { tarball: string } }>;
  };
  for (const { name, version, dist } of Object.values(document.versions ?? {})) {
    dist.tarball = `http://${host}/artifactory/api/npm/${repository}/${name}/-/${name}-${version}.tgz`;
  }
  response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(document));
  if (body === undefined || answer.status !== 201) return;
  const { name, _attachments: attachments } = JSON.parse(body.toString());
  for (const [file, { data }] of Object.entries<{ data: string }>(attachments)) {
    self.storage.keep(`${repository}/${name}/-/${file}`, Buffer.from(data, "base64"));
  }
}

async function pypi(
  self: ArtifactoryStandIn,
  request: IncomingMessage,
  response: ServerResponse,
  repository: string,
  path: string,
): Promise<void> {
  const body = request.method === "POST" ? await buffer(request) : undefined;
  const url = `${backend(self, "pypi")}${body === undefined ? path : "/legacy/"}`;
  const keep = async (status: number) => {
    if (body !== undefined && status === 200) keepUpload(self, repository, body);
  };
  await relay(request, response, url, { authorization: self.backends.pypiLogin ?? "" }, { body, keep });
}

/** Its own layout: project, version, file. */
function keepUpload(self: ArtifactoryStandIn, repository: string, body: Buffer): void {
  const form = body.toString("latin1");
  const field = (name: string) => new RegExp(`name="${name}"\\r\\n\\r\\n([^\\r]*)\\r\\n`).exec(form)?.[1] ?? "";
  const [head, file] = /name="content"; filename="([^"]+)"\r\n(?:[^\r]+\r\n)*\r\n/.exec(form) ?? [];
  if (head === undefined || file === undefined) return;
  const start = form.indexOf(head) + head.length;
  const end = form.indexOf(`\r\n${form.slice(0, form.indexOf("\r\n"))}`, start);
  self.storage.keep(`${repository}/${field("name")}/${field("version")}/${file}`, body.subarray(start, end));
}

/** A tag is a folder, with the manifest and all that it lists. */
async function keepImage(self: ArtifactoryStandIn, name: string, tag: string): Promise<void> {
  const from = `${backend(self, "docker")}/v2/${name}`;
  const answer = await fetch(`${from}/manifests/${tag}`, { headers: { accept: OCI_TYPES.join(", ") } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const { manifests, config, layers = [] } = JSON.parse(bytes.toString());
  self.storage.keep(`${name}/${tag}/${manifests ? "list.manifest.json" : "manifest.json"}`, bytes);
  for (const { digest } of [...(config ? [config] : []), ...layers]) {
    const blob = Buffer.from(await (await fetch(`${from}/blobs/${digest}`)).arrayBuffer());
    if (`sha256:${createHash("sha256").update(blob).digest("hex")}` !== digest)
      throw new No(500, `${digest} is broken`);
    self.storage.keep(`${name}/${tag}/${digest.replace(":", "__")}`, blob);
  }
}

/** The caller's login ends here: what stands behind has its own. What is kept is kept before the caller knows. */
function relay(
  request: IncomingMessage,
  response: ServerResponse,
  url: string,
  headers: Record<string, string>,
  { body, keep }: { body?: Buffer | undefined; keep(status: number): Promise<void> },
): Promise<void> {
  const { authorization: _login, ...own } = request.headers;
  return new Promise((resolve, reject) => {
    const on = httpRequest(url, { method: request.method, headers: { ...own, ...headers } }, (answer) => {
      const status = answer.statusCode ?? 502;
      answer.once("error", reject);
      response.once("close", resolve);
      keep(status).then(() => {
        response.writeHead(status, answer.statusMessage, answer.headers);
        answer.pipe(response);
      }, reject);
    });
    on.once("error", reject);
    if (body === undefined) request.pipe(on);
    else on.end(body);
  });
}
