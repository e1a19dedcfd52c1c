import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { ArchiveSource } from "../../../src/packages/archive.ts";

export function sourceOf(bytes: Buffer): ArchiveSource & { bytes: Buffer } {
  return {
    bytes,
    length: bytes.length,
    open: ({ start = 0, end = bytes.length - 1 } = {}) => Readable.from([bytes.subarray(start, end + 1)]),
  };
}

/** A gzipped tar of these files, in their order; of one name as many as are given. */
export async function tarOf(...entries: [string, string | Buffer][]) {
  const tar = pack();
  for (const [name, content] of entries) tar.entry({ name }, content);
  tar.finalize();
  return sourceOf(gzipSync(await buffer(tar)));
}
