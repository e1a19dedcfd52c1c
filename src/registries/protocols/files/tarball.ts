import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import type { Body } from "../http/transport.ts";

/**
 * Entries of a gzipped tar whose names are wanted, by name; an entry larger than `maxBytes` is left out. It is read to its
 * end: of two entries with one name the last counts, as for those who unpack it.
 * @throws where it is no such archive
 */
export async function readTarball(
  body: Body,
  isWanted: (name: string) => boolean,
  maxBytes: number,
): Promise<Map<string, Buffer>> {
  const source = body.open();
  const gunzip = createGunzip();
  const tar = extract();
  const fail = (error: Error) => tar.destroy(error);
  source.on("error", fail).pipe(gunzip).on("error", fail).pipe(tar);
  const found = new Map<string, Buffer>();
  try {
    for await (const entry of tar) {
      const { name, type, size = 0 } = entry.header;
      if (type === "file" && size <= maxBytes && isWanted(name))
        found.set(name, await buffer(entry as unknown as Readable));
      else entry.resume();
    }
  } finally {
    source.destroy();
    gunzip.destroy();
  }
  return found;
}
