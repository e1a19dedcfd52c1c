import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import tar from "tar-stream";
import yauzl from "yauzl";
import type { FrozenFile } from "../../../delivery/types.ts";
import type { Store } from "../../../store/store.ts";

/**
 * Archives come from builds, and may be made to harm whoever opens them: nothing is unpacked, what is read is held in
 * memory up to `largestEntry`, and what is passed over is bounded too.
 */
const largestEntry = 2 ** 20;
const mostEntries = 200_000;
const mostInflated = 4 * 2 ** 30;

/** The archive cannot be read. Its message is for the user. */
export class Unreadable extends Error {}

/**
 * The first entry of a gzipped tar whose path is wanted, as text; null: it has none.
 * @throws Unreadable
 */
export async function readFromTarball(
  store: Store,
  { digest }: FrozenFile,
  wanted: (path: string) => boolean,
): Promise<string | null> {
  const extract = tar.extract();
  const flow = pipeline(store.open(digest), createGunzip(), capped(), extract);
  // Ends the search as well where it breaks; and is broken by it where the rest is of no interest.
  flow.catch(() => {});
  try {
    let entries = 0;
    for await (const entry of extract) {
      if (++entries > mostEntries) throw new Unreadable("it has too many entries");
      const { type, name } = entry.header;
      if (type === "file" && wanted(name)) return await textOf(Readable.from(entry), name);
      entry.resume();
    }
    return null;
  } catch (error) {
    throw asUnreadable(error);
  }
}

function capped() {
  let passed = 0;
  return async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      passed += chunk.length;
      if (passed > mostInflated) throw new Unreadable("it unpacks to more than 4 GiB");
      yield chunk;
    }
  };
}

/**
 * Every entry of a zip whose path is wanted, as text by path.
 * @throws Unreadable
 */
export async function readFromZip(
  store: Store,
  { digest, size }: FrozenFile,
  wanted: (path: string) => boolean,
): Promise<Map<string, string>> {
  try {
    const zip = await yauzl.fromRandomAccessReaderPromise(new StoredFile(store, digest), size);
    if (zip.entryCount > mostEntries) throw new Unreadable("it has too many entries");
    const texts = new Map<string, string>();
    for await (const entry of zip.eachEntry()) {
      if (!wanted(entry.fileName)) continue;
      if (texts.size === 100) throw new Unreadable("it holds the metadata of more than 100 packages");
      texts.set(entry.fileName, await textOf(await zip.openReadStreamPromise(entry), entry.fileName));
    }
    return texts;
  } catch (error) {
    throw asUnreadable(error);
  }
}

class StoredFile extends yauzl.RandomAccessReader {
  readonly #open: (start: number, end: number) => Readable;
  constructor(store: Store, digest: string) {
    super();
    this.#open = (start, end) => store.open(digest, { start, end });
  }
  override _readStreamForRange(start: number, end: number): Readable {
    return start === end ? Readable.from([]) : this.#open(start, end - 1);
  }
}

async function textOf(stream: Readable, path: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > largestEntry) throw tooLarge(path);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function tooLarge(path: string): Unreadable {
  return new Unreadable(`its ${path} has more than ${largestEntry} bytes`);
}

/** What zlib, tar-stream and yauzl say is about the bytes; what the disk says is not. */
function asUnreadable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Unreadable) return error;
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  return syscall !== undefined || error instanceof TypeError || code === "ABORT_ERR"
    ? error
    : new Unreadable(error.message, { cause: error });
}
