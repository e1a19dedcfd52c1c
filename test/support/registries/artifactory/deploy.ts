import type { IncomingHttpHeaders } from "node:http";
import { type Checksums, checksumsOf, No } from "./answer.ts";
import type { Kept, Properties, Rights, Storage } from "./storage.ts";

const HEADERS = { sha1: "x-checksum-sha1", sha256: "x-checksum-sha256", md5: "x-checksum-md5" } as const;
const CHECKSUM_FILE = /\.(sha1|md5|sha256)$/;

/** "Deploy Artifact" and "Deploy Artifact by Checksum". */
export function deploy(
  storage: Storage,
  rights: Rights,
  path: string,
  body: Buffer,
  headers: IncomingHttpHeaders,
  properties: Properties,
): object {
  const type = storage.typeOf(path);
  if (!rights.deploy) throw new No(403, `not enough permissions to deploy '${path}'`);
  demandPath(path);
  if (Object.keys(properties).length > 0 && !rights.annotate)
    throw new No(403, `not enough permissions to annotate '${path}'`);
  if (type === "maven" && CHECKSUM_FILE.test(path)) return checksumFile(storage, path, body);
  const told = readChecksums(headers, type === "generic");
  demandFree(storage, rights, path);
  if (headers["x-checksum-deploy"] === "true") {
    if (body.length > 0) throw new No(400, "a deployment by checksum has no body");
    return created(path, storage.keep(path, byChecksum(storage, told), properties));
  }
  if (type === "generic" && headers["content-type"] !== "application/octet-stream") {
    throw new No(415, `a file of any type is application/octet-stream, not ${headers["content-type"]}`);
  }
  const found = checksumsOf(body);
  for (const [kind, hex] of Object.entries(told)) {
    const is = found[kind as keyof Checksums];
    if (is !== hex) throw new No(409, `Checksum error for '${path}': received '${hex}' but actual is '${is}'`);
  }
  return created(path, storage.keep(path, body, properties));
}

function demandPath(path: string): void {
  if (path.split("/").length < 2 || path.split("/").some((part) => part === "" || part === "." || part === "..")) {
    throw new No(400, `no path for a file: ${path}`);
  }
}

/** The real one takes a deployment without checksums; whoever leaves them out here has forgotten them. */
function readChecksums(headers: IncomingHttpHeaders, demanded: boolean): Partial<Checksums> {
  const told: Partial<Checksums> = {};
  for (const [kind, header] of Object.entries(HEADERS)) {
    const hex = headers[header];
    if (hex === undefined) continue;
    if (typeof hex !== "string" || !/^[0-9a-f]+$/.test(hex)) throw new No(400, `${header} is no checksum`);
    told[kind as keyof Checksums] = hex;
  }
  if (demanded && (told.sha1 === undefined || told.sha256 === undefined)) {
    throw new No(400, "both X-Checksum-Sha1 and X-Checksum-Sha256 are wanted");
  }
  return told;
}

/** Maven's own metadata may be written anew by whoever may deploy; all else needs the right to delete. */
function demandFree(storage: Storage, rights: Rights, path: string): void {
  if (!storage.files.has(path) || rights.overwrite || path.endsWith("/maven-metadata.xml")) return;
  throw new No(403, `Not enough permissions to delete/overwrite artifact '${path}' (user needs DELETE permission).`);
}

function byChecksum(storage: Storage, told: Partial<Checksums>): Buffer {
  for (const [kind, hex] of Object.entries(told)) {
    const [found] = storage.withChecksum(kind as keyof Checksums, hex);
    if (found === undefined) continue;
    for (const [other, wanted] of Object.entries(told)) {
      if (found[1].checksums[other as keyof Checksums] !== wanted)
        throw new No(409, `checksums of different files: ${other}`);
    }
    return found[1].bytes;
  }
  throw new No(404, "Checksum deploy failed. No existing file with these checksums.");
}

/** A strict "Checksum Policy": what a client says beside a file must be true of it. */
function checksumFile(storage: Storage, path: string, body: Buffer): object {
  const kind = CHECKSUM_FILE.exec(path)?.[1] as keyof Checksums;
  const of = storage.files.get(path.slice(0, -kind.length - 1));
  if (of === undefined) throw new No(404, `${path} comes before its file`);
  if (of.checksums[kind] !== body.toString()) throw new No(409, `${path} is not true of its file`);
  return { path };
}

function created(path: string, { checksums, bytes, created }: Kept): object {
  const [repo = "", ...rest] = path.split("/");
  return { repo, path: `/${rest.join("/")}`, created, createdBy: "ci", size: String(bytes.length), checksums };
}
