import { once } from "node:events";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Range, RangeFilter, sliceInRange } from "./range-filter.ts";

export interface TarEntry {
  name: string;
  size: number;
  /** The bytes, or a function that fetches and verifies them. */
  bytes: Buffer | (() => Promise<Readable>);
}

const BLOCK_BYTES = 512;
/** A tar ends with two blocks of zeros. */
const END = Buffer.alloc(2 * BLOCK_BYTES);

/**
 * Streams a tar of these entries into a sink. If that fails, the sink is destroyed with the error before its end. For a
 * sink that wants a range, only the entries in the range are fetched.
 */
export async function writeTar(into: Writable, signal: AbortSignal, entries: TarEntry[]): Promise<void> {
  const pieces = await piecesOf(entries);
  const size = pieces.reduce((sum, piece) => sum + piece.size, 0);
  const range = into instanceof RangeFilter ? into.cut(size) : { start: 0, end: size - 1 };
  await pipeline(Readable.from(bytesIn(pieces, range), { objectMode: false }), into, { signal });
}

/** The size of such a tar, in bytes. */
export async function tarSize(entries: Pick<TarEntry, "name" | "size">[]): Promise<number> {
  const pieces = await piecesOf(entries.map((each) => ({ ...each, bytes: END })));
  return pieces.reduce((sum, piece) => sum + piece.size, 0);
}

type Piece = Pick<TarEntry, "size" | "bytes">;

async function piecesOf(entries: TarEntry[]): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for (const entry of entries) {
    pieces.push(piece(await headerOf(entry)), entry, piece(Buffer.alloc(-entry.size & (BLOCK_BYTES - 1))));
  }
  return [...pieces, piece(END)];
}

function piece(bytes: Buffer): Piece {
  return { size: bytes.length, bytes };
}

/** One block, or more for a long name or a large size. */
async function headerOf({ name, size }: Pick<TarEntry, "name" | "size">): Promise<Buffer> {
  // Loaded by the first tar: no start of a receiver needs it.
  const { default: tarStream } = await import("tar-stream");
  const tar = tarStream.pack();
  // A fixed time, so that the same content always gives the same tar.
  tar.entry({ name, size, mtime: new Date(0) });
  await once(tar, "readable");
  const blocks: Buffer[] = [];
  for (let block = tar.read(); block !== null; block = tar.read()) blocks.push(block as Buffer);
  tar.destroy();
  return Buffer.concat(blocks);
}

/**
 * The bytes of the pieces in the range. A piece that is partly in it is fetched completely, so that it can be verified.
 */
async function* bytesIn(pieces: Piece[], range: Range): AsyncGenerator<Buffer> {
  let at = 0;
  for (const { size, bytes } of pieces) {
    const begin = at;
    at += size;
    if (size === 0 || begin > range.end || at <= range.start) continue;
    let seen = begin;
    for await (const chunk of typeof bytes === "function" ? await bytes() : [bytes]) {
      const part = sliceInRange(range, seen, chunk);
      seen += chunk.length;
      if (part.length > 0) yield part;
    }
  }
}
