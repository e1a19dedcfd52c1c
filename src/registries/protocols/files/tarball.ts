import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import type { Body } from "../../../transport.ts";

/**
 * Entries of a gzipped tar whose names are wanted, by name; of one name the first. Builds make these archives, perhaps to do
 * harm: nothing is unpacked, and what is kept is at most `maxBytes` in all.
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
  let kept = 0;
  try {
    for await (const entry of tar) {
      const { name, type, size = 0 } = entry.header;
      if (type === "file" && isWanted(name) && !found.has(name) && kept + size <= maxBytes) {
        kept += size;
        found.set(name, await buffer(entry as unknown as Readable));
      } else entry.resume();
    }
  } finally {
    source.destroy();
    gunzip.destroy();
  }
  return found;
}
