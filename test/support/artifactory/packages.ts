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
    await relay(request, response, `${backend(self, "docker")}${url}`, {});
    const [, name, tag] = /^\/v2\/(.+)\/manifests\/([^:]+)$/.exec(url) ?? [];
    if (method === "PUT" && response.statusCode === 201 && name && tag) await keepImage(self, name, tag);
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

async function npm(
  self: ArtifactoryStandIn,
  request: IncomingMessage,
  response: ServerResponse,
  repository: string,
  path: string,
) {
  const body = request.method === "PUT" ? await buffer(request) : undefined;
  const headers = { authorization: `Bearer ${self.backends.npmToken}` };
  await relay(request, response, `${backend(self, "npm")}${path}`, headers, body);
  if (body === undefined || response.statusCode !== 201) return;
  const { name, _attachments: attachments } = JSON.parse(body.toString());
  for (const [file, { data }] of Object.entries<{ data: string }>(attachments)) {
    // Its own layout keeps the scope in the file's name too.
    self.storage.keep(`${repository}/${name}/-/${file}`, Buffer.from(data, "base64"));
  }
}

async function pypi(
  self: ArtifactoryStandIn,
  request: IncomingMessage,
  response: ServerResponse,
  repository: string,
  path: string,
) {
  const body = request.method === "POST" ? await buffer(request) : undefined;
  const to = body === undefined ? path : "/legacy/";
  await relay(
    request,
    response,
    `${backend(self, "pypi")}${to}`,
    { authorization: self.backends.pypiLogin ?? "" },
    body,
  );
  if (body === undefined || response.statusCode !== 200) return;
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

/** The caller's login ends here: what stands behind has its own. */
function relay(
  request: IncomingMessage,
  response: ServerResponse,
  url: string,
  headers: Record<string, string>,
  body?: Buffer,
): Promise<void> {
  const { authorization: _login, ...own } = request.headers;
  return new Promise((resolve, reject) => {
    const on = httpRequest(url, { method: request.method, headers: { ...own, ...headers } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.once("error", reject);
      response.once("close", resolve);
    });
    on.once("error", reject);
    if (body === undefined) request.pipe(on);
    else on.end(body);
  });
}
