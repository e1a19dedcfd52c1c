import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import tar from "tar-stream";
import yauzl from "yauzl";

/** The bytes of an archive. They can be read several times, also in part: from `start` to `end`, both included. */
export interface ArchiveSource {
  length: number;
  open(range?: { start?: number; end?: number }): Readable;
}

/** A file in an archive. A leading `./` is removed from its path. */
export interface ArchiveEntry {
  path: string;
  bytes: Buffer;
}

/** Whether to read an entry. @param size bytes, as the archive says */
export type IsWanted = (path: string, size: number) => boolean;

/**
 * Archives come from builds and may be hostile. So nothing is unpacked to disk, and there are limits for what is held
 * in memory and for what is skipped.
 */
const MAX_ENTRY_BYTES = 2 ** 20;
const MAX_WANTED_ENTRIES = 100;
const MAX_ENTRIES = 200_000;
const MAX_UNPACKED_BYTES = 4 * 2 ** 30;

/** The archive, or a file in it, is not what it should be. The message is for the user. */
export class UnreadablePackage extends Error {}

/** The wanted files of a gzipped tar, in their order. @throws UnreadablePackage */
export async function readTarball(source: ArchiveSource, isWanted: IsWanted): Promise<ArchiveEntry[]> {
  const extract = tar.extract();
  const flow = pipeline(source.open(), createGunzip(), capped(), extract);
  // An error also breaks the loop below.
  flow.catch(() => {});
  try {
    const found = new Found();
    let entries = 0;
    for await (const entry of extract) {
      if (++entries > MAX_ENTRIES) throw new UnreadablePackage("it has too many entries");
      const { type, name, size = 0 } = entry.header;
      const path = plain(name);
      if (type === "file" && isWanted(path, size)) await found.add(path, Readable.from(entry));
      else entry.resume();
    }
    return found.entries;
  } catch (error) {
    throw asUnreadable(error);
  }
}

/** The wanted files of a zip, in the order of its central directory. @throws UnreadablePackage */
export async function readZip(source: ArchiveSource, isWanted: IsWanted): Promise<ArchiveEntry[]> {
  try {
    const zip = await yauzl.fromRandomAccessReaderPromise(new Ranges(source), source.length);
    if (zip.entryCount > MAX_ENTRIES) throw new UnreadablePackage("it has too many entries");
    const found = new Found();
    for await (const entry of zip.eachEntry()) {
      const path = plain(entry.fileName);
      if (isWanted(path, entry.uncompressedSize)) await found.add(path, await zip.openReadStreamPromise(entry));
    }
    return found.entries;
  } catch (error) {
    throw asUnreadable(error);
  }
}

/**
 * Requires at most one entry. If there were two, another reader could choose the other one, and install what was not
 * checked here. @returns null if there is none @throws UnreadablePackage
 */
export function atMostOne(entries: readonly ArchiveEntry[]): ArchiveEntry | null {
  const [first, second] = entries;
  if (first === undefined) return null;
  if (second === undefined) return first;
  const paths = first.path === second.path ? `${first.path} twice` : `both ${first.path} and ${second.path}`;
  throw new UnreadablePackage(`it holds ${paths}`);
}

class Found {
  readonly entries: ArchiveEntry[] = [];

  async add(path: string, stream: Readable): Promise<void> {
    if (this.entries.length === MAX_WANTED_ENTRIES)
      throw new UnreadablePackage(`it describes more than ${MAX_WANTED_ENTRIES} packages`);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > MAX_ENTRY_BYTES) throw new UnreadablePackage(`its ${path} has more than ${MAX_ENTRY_BYTES} bytes`);
      chunks.push(chunk);
    }
    this.entries.push({ path, bytes: Buffer.concat(chunks) });
  }
}

class Ranges extends yauzl.RandomAccessReader {
  readonly #source: ArchiveSource;
  constructor(source: ArchiveSource) {
    super();
    this.#source = source;
  }
  override _readStreamForRange(start: number, end: number): Readable {
    return start === end ? Readable.from([]) : this.#source.open({ start, end: end - 1 });
  }
}

function capped() {
  let passed = 0;
  return async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      passed += chunk.length;
      if (passed > MAX_UNPACKED_BYTES) throw new UnreadablePackage("it unpacks to more than 4 GiB");
      yield chunk;
    }
  };
}

function plain(path: string): string {
  return path.replace(/^(?:\.\/+)+/, "");
}

/** Errors of zlib, tar-stream and yauzl are about the bytes. Errors of the disk are not. */
function asUnreadable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UnreadablePackage) return error;
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  return syscall !== undefined || error instanceof TypeError || code === "ABORT_ERR"
    ? error
    : new UnreadablePackage(error.message, { cause: error });
}
