import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { No } from "./answer.ts";
import { Builds } from "./builds.ts";
import { deploy } from "./deploy.ts";
import type { Backends } from "./packages.ts";
import { passOn } from "./packages.ts";
import { type PackageType, type Rights, readProperties, Storage, splitMatrix } from "./storage.ts";

const LOGIN = { username: "ci", password: "s3cret-canary-artifactory", token: "token-canary-artifactory" };

export interface ArtifactoryStandIn {
  /** Of Artifactory itself; an image's repositories are right under its host. */
  url: string;
  host: string;
  username: string;
  password: string;
  token: string;
  storage: Storage;
  builds: Builds;
  rights: Rights;
  /** Everything that was asked, as `PUT /artifactory/…`. */
  requests: string[];
  /** What was refused for being asked wrongly. */
  violations: string[];
  /** Answers the next requests that this fits so, instead of looking at them. */
  fail: { fits: RegExp; status: number; headers?: Record<string, string>; body?: string; times: number }[];
  /** What comes for a package endpoint goes on to these. */
  backends: Backends;
  stop(): Promise<void>;
}

/** Artifactory's REST API as JFrog documents it, and nothing beyond; it forgives less than the real one. */
export async function startArtifactory(
  repositories: Record<string, PackageType>,
  backends: Backends = {},
): Promise<ArtifactoryStandIn> {
  const storage = new Storage(repositories);
  const rights = { deploy: true, overwrite: false, annotate: true };
  const self: ArtifactoryStandIn = {
    ...{ url: "", host: "", ...LOGIN, storage, rights, backends },
    ...{ builds: new Builds(storage), requests: [], violations: [], fail: [] },
    stop: async () => {},
  };
  const server = createServer((request, response) => {
    self.requests.push(`${request.method} ${request.url}`);
    answer(self, request, response).catch((error: unknown) => {
      const status = error instanceof No ? error.status : 500;
      const message = error instanceof Error ? error.message : String(error);
      if (![401, 403, 404].includes(status))
        self.violations.push(`${request.method} ${request.url}: ${status} ${message}`);
      if (!response.headersSent) json(response, status, { errors: [{ status, message }] });
      else response.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  self.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  self.url = `http://${self.host}/artifactory`;
  self.stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return self;
}

async function answer(self: ArtifactoryStandIn, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "", url: raw = "" } = request;
  const planned = self.fail.find(({ fits, times }) => times > 0 && fits.test(`${method} ${raw}`));
  if (planned !== undefined) {
    planned.times--;
    request.resume();
    response.writeHead(planned.status, planned.headers).end(planned.body);
    return;
  }
  demandLogin(self, request, response);
  if (await passOn(self, request, response)) return;
  const body = await buffer(request);
  const [path = "", query = ""] = raw.split("?", 2);
  const below = path.replace(/^\/artifactory\//, "");
  if (below === path) throw new No(404, `nothing at ${path}`);
  const rest = (prefix: string) => below.slice(prefix.length);
  if (below === "api/build" && method === "PUT") {
    self.builds.put(request.headers["content-type"], body);
    response.writeHead(204).end();
  } else if (below.startsWith("api/build/promote/") && method === "POST") {
    const [name = "", number = ""] = parts(rest("api/build/promote/"));
    self.builds.promote(name, number, JSON.parse(body.toString()));
    json(response, 200, { messages: [] });
  } else if (below.startsWith("api/build/") && method === "GET") {
    const [name = "", number = ""] = parts(rest("api/build/"));
    json(response, 200, { uri: `${self.url}/${below}`, buildInfo: self.builds.get(name, number) });
  } else if (below.startsWith("api/storage/"))
    storageApi(self, method, parts(rest("api/storage/")).join("/"), query, response);
  else if (below === "api/search/checksum" && method === "GET") search(self, query, response);
  else if (below.startsWith("api/")) throw new No(404, `no such call: ${method} ${below}`);
  else if (method === "PUT") {
    const { path: plain, properties } = splitMatrix(below);
    json(response, 201, deploy(self.storage, self.rights, parts(plain).join("/"), body, request.headers, properties));
  } else if (method === "GET" || method === "HEAD") download(self, parts(below).join("/"), response);
  else throw new No(405, `${method} ${path}`);
}

function parts(path: string): string[] {
  return path.split("/").map((part) => decodeURIComponent(part));
}

function demandLogin(self: ArtifactoryStandIn, request: IncomingMessage, response: ServerResponse): void {
  const basic = (user: string, word: string) => `Basic ${Buffer.from(`${user}:${word}`).toString("base64")}`;
  const good = [basic(self.username, self.password), basic(self.username, self.token), `Bearer ${self.token}`];
  if (good.includes(request.headers.authorization ?? "")) return;
  response.setHeader("www-authenticate", 'Basic realm="Artifactory Realm"');
  throw new No(401, request.headers.authorization === undefined ? "Authentication is required" : "Bad credentials");
}

function storageApi(
  self: ArtifactoryStandIn,
  method: string,
  path: string,
  query: string,
  response: ServerResponse,
): void {
  const { storage, rights } = self;
  storage.typeOf(path);
  const kept = storage.files.get(path);
  const inside = storage.within(path);
  const parameters = new Map(
    query.split("&").map((each): [string, string] => [each.split("=")[0] ?? "", each.slice(each.indexOf("=") + 1)]),
  );
  const isRepository = storage.types.has(path);
  if (kept === undefined && inside.length === 0 && !isRepository) throw new No(404, "Unable to find item");
  if (method === "PUT") {
    if (!rights.annotate) throw new No(403, "not enough permissions to annotate");
    const properties = readProperties(parameters.get("properties") ?? "");
    const paths = kept !== undefined ? [path] : inside.map(([each]) => each);
    for (const each of paths) storage.annotate(each, properties);
    response.writeHead(204).end();
  } else if (parameters.has("list")) {
    if (kept !== undefined) throw new No(400, "Expected a folder but found a file");
    const files = inside
      .filter(([each]) => !each.slice(path.length + 1).includes("/"))
      .map(([each, { checksums, bytes }]) => {
        return {
          uri: each.slice(path.length),
          size: bytes.length,
          folder: false,
          sha1: checksums.sha1,
          sha2: checksums.sha256,
        };
      });
    json(response, 200, { uri: `${self.url}/api/storage/${path}`, files });
  } else if (parameters.has("properties")) {
    const properties = storage.properties.get(path);
    if (properties === undefined) throw new No(404, "No properties could be found.");
    json(response, 200, { properties, uri: `${self.url}/api/storage/${path}` });
  } else {
    const [repo = "", ...rest] = path.split("/");
    const about = { repo, path: `/${rest.join("/")}`, uri: `${self.url}/api/storage/${path}` };
    json(
      response,
      200,
      kept === undefined
        ? { ...about, children: [] }
        : { ...about, size: String(kept.bytes.length), checksums: kept.checksums },
    );
  }
}

function search(self: ArtifactoryStandIn, query: string, response: ServerResponse): void {
  const asked = new URLSearchParams(query);
  const [kind] = (["sha256", "sha1", "md5"] as const).filter((each) => asked.has(each));
  if (kind === undefined) throw new No(400, "a checksum is wanted");
  const repos = asked.get("repos")?.split(",") ?? [...self.storage.types.keys()];
  const held = self.storage
    .withChecksum(kind, asked.get(kind) ?? "")
    .filter(([path]) => repos.includes(path.split("/")[0] ?? ""));
  json(response, 200, {
    results: held.map(([path]) => ({
      uri: `${self.url}/api/storage/${path.split("/").map(encodeURIComponent).join("/")}`,
    })),
  });
}

function download(self: ArtifactoryStandIn, path: string, response: ServerResponse): void {
  const [, base = path, kind] = /^(.*)\.(sha1|md5|sha256)$/.exec(path) ?? [];
  const kept = self.storage.files.get(path) ?? (kind === undefined ? undefined : self.storage.files.get(base));
  if (kept === undefined) throw new No(404, "File not found.");
  const isChecksum = kind !== undefined && !self.storage.files.has(path);
  const bytes = isChecksum ? Buffer.from(kept.checksums[kind as "sha1"]) : kept.bytes;
  const { sha1, sha256, md5 } = kept.checksums;
  response.writeHead(200, {
    "content-length": bytes.length,
    ...{ "x-checksum-sha1": sha1, "x-checksum-sha256": sha256, "x-checksum-md5": md5 },
  });
  response.end(bytes);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
