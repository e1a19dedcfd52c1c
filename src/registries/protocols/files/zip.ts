import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { type Entry, fromRandomAccessReader, RandomAccessReader, type ZipFile } from "yauzl";
import type { Source } from "./shelf.ts";

/** Reads a file of the store in pieces: a large archive is never read as a whole. */
class SourceReader extends RandomAccessReader {
  readonly #source: Source;
  constructor(source: Source) {
    super();
    this.#source = source;
  }
  override _readStreamForRange(start: number, end: number): Readable {
    return this.#source.open({ start, end: end - 1 });
  }
}

const openZip = promisify(
  (reader: RandomAccessReader, size: number, done: (error: Error | null, zip: ZipFile) => void) =>
    fromRandomAccessReader(reader, size, { lazyEntries: true, autoClose: false }, done),
);

/** The first entry whose name is wanted; null: there is none, or it is no zip, or the entry is larger than `maxBytes`. */
export async function readZipEntry(
  source: Source,
  isWanted: (name: string) => boolean,
  maxBytes: number,
): Promise<Buffer | null> {
  try {
    const zip = await openZip(new SourceReader(source), source.length);
    const entry = await findEntry(zip, isWanted);
    if (entry === null || entry.uncompressedSize > maxBytes) return null;
    return await buffer(await openEntry(zip, entry));
  } catch (error) {
    // A file that the system cannot read is not one that is no zip.
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    return null;
  }
}

function openEntry(zip: ZipFile, entry: Entry): Promise<Readable> {
  return new Promise((resolve, reject) => {
    zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream)));
  });
}

function findEntry(zip: ZipFile, isWanted: (name: string) => boolean): Promise<Entry | null> {
  return new Promise((resolve, reject) => {
    zip.on("entry", (entry: Entry) => (isWanted(entry.fileName) ? resolve(entry) : zip.readEntry()));
    zip.once("end", () => resolve(null));
    zip.once("error", reject);
    zip.readEntry();
  });
}
