import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import protobuf from "protobufjs";
import tar from "tar-stream";
import type { Methods, ServerCall } from "../grpc/server.ts";

/** The files that BuildKit fetches over the session: a Dockerfile that is not part of the context, and the context. */
export interface BuildFiles {
  dockerfile: string;
  /** A tar. Each call opens a new one with the same bytes. */
  openContext(): Promise<Readable>;
}

/** The name of the Dockerfile in the folder that BuildKit sees. */
export const DOCKERFILE = "Dockerfile";

// From tonistiigi/fsutil, types/wire.proto and stat.proto, which BuildKit's session/filesync uses.
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message Packet { int32 type = 1; Stat stat = 2; uint32 ID = 3; bytes data = 4; }
  message Stat {
    string path = 1; uint32 mode = 2; uint32 uid = 3; uint32 gid = 4; int64 size = 5; int64 modTime = 6; string linkname = 7;
  }
`,
  { keepCase: true },
);
const packet = root.lookupType("Packet");
const Type = { stat: 0, request: 1, data: 2, end: 3 } as const;
interface Packet {
  type: number;
  ID: number;
}

interface Entry {
  path: string;
  /** Bits of Go's os.FileMode. */
  mode: number;
  size: number;
  /** Nanoseconds since the epoch. */
  modTime: number;
  linkname: string;
}

const GO_DIRECTORY = 0x8000_0000;
const GO_SYMLINK = 0x0800_0000;
/** Less than gRPC's limit for a message. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Serves a folder to BuildKit: it gets all entries in order, asks for the files that it wants, and says when it has
 * them. `.dockerignore` is already applied, so the whole context is offered.
 */
export function fileSyncMethods(files: BuildFiles): Methods {
  return { "/moby.filesync.v1.FileSync/DiffCopy": (call) => serveFiles(call, files) };
}

async function serveFiles(call: ServerCall, files: BuildFiles): Promise<void> {
  const { headers } = call;
  const wanted = new Wanted();
  const asking = hearRequests(call, wanted);
  // Whoever waits for it below gets its error.
  asking.catch(() => {});
  if (headers["dir-name"] === "dockerfile") await sendText(call, wanted, files.dockerfile);
  // BuildKit looks for an ignore file. It gets none, since ours is already applied.
  else if (headers["include-patterns"] === ".dockerignore") await sendEntries(call, []);
  else await sendTree(call, wanted, files);
  await asking;
  await send(call, { type: Type.end });
}

/** The files that BuildKit has asked for. */
class Wanted {
  readonly #ids = new Set<number>();
  #isOver = false;
  #wake: () => void = () => {};

  add(id: number): void {
    this.#ids.add(id);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** Resolves when the file is asked for, or never will be. */
  async has(id: number): Promise<boolean> {
    while (!this.#ids.delete(id)) {
      if (this.#isOver) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return true;
  }
}

/** Reads requests until BuildKit has everything. */
async function hearRequests({ requests }: ServerCall, wanted: Wanted): Promise<void> {
  try {
    for await (const message of requests) {
      const { type, ID } = packet.decode(message) as unknown as Packet;
      if (type === Type.end) return;
      if (type === Type.request) wanted.add(ID);
    }
  } finally {
    wanted.end();
  }
}

async function sendText(call: ServerCall, wanted: Wanted, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  await sendEntries(call, [{ path: DOCKERFILE, mode: 0o644, size: bytes.length, modTime: 0, linkname: "" }]);
  if (await wanted.has(0)) await sendContent(call, 0, [bytes]);
}

/** Reads the tar twice: first the entries, then the contents of files. Nothing is kept in memory. */
async function sendTree(call: ServerCall, wanted: Wanted, { openContext }: BuildFiles): Promise<void> {
  const entries: Entry[] = [];
  await eachEntry(await openContext(), async (header) => {
    entries.push(entryOf(header));
  });
  entries.sort((one, other) => comparePaths(one.path, other.path));
  await sendEntries(call, entries);
  const ids = new Map(entries.map(({ path }, id) => [path, id]));
  await eachEntry(await openContext(), async (header, content) => {
    const id = ids.get(pathOf(header));
    if (header.type === "file" && id !== undefined && (await wanted.has(id))) await sendContent(call, id, content);
  });
}

async function eachEntry(
  archive: Readable,
  use: (header: tar.Header, content: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const extract = tar.extract();
  const read = async () => {
    for await (const entry of extract) {
      await use(entry.header, entry as unknown as AsyncIterable<Buffer>);
      entry.resume();
    }
  };
  await Promise.all([pipeline(archive, extract), read()]);
}

function pathOf({ name }: tar.Header): string {
  return name.replace(/\/+$/, "");
}

function entryOf(header: tar.Header): Entry {
  const mode = (header.mode ?? 0) & 0o777;
  const type = header.type === "directory" ? GO_DIRECTORY : header.type === "symlink" ? GO_SYMLINK : 0;
  return {
    path: pathOf(header),
    mode: type + (type === GO_SYMLINK ? 0o777 : mode),
    size: type === 0 ? (header.size ?? 0) : 0,
    modTime: (header.mtime?.getTime() ?? 0) * 1e6,
    linkname: header.linkname ?? "",
  };
}

/** Compares byte by byte, with a slash before all other characters, so that every folder comes before its contents. */
function comparePaths(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one.replaceAll("/", "\0")), Buffer.from(other.replaceAll("/", "\0")));
}

async function sendEntries(call: ServerCall, entries: Entry[]): Promise<void> {
  for (const stat of entries) await send(call, { type: Type.stat, stat });
  await send(call, { type: Type.stat });
}

async function sendContent(
  call: ServerCall,
  ID: number,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<void> {
  for await (const chunk of content)
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES)
      await send(call, { type: Type.data, ID, data: chunk.subarray(at, at + CHUNK_BYTES) });
  await send(call, { type: Type.data, ID });
}

function send(call: ServerCall, content: object): Promise<void> {
  return call.send(packet.encode(packet.fromObject(content)).finish());
}
