import { freezeFiles } from "../../../store/files.ts";
import type { Store } from "../../../store/store.ts";
import { openVerified, orTransient } from "./read.ts";
import type { Shelf, Version } from "./shelf.ts";

/** Copies the files of a version into the store. @returns false if the registry does not have all of them */
export async function restoreFiles(
  shelf: Shelf,
  store: Store,
  version: Version,
  signal: AbortSignal,
): Promise<boolean> {
  for (const file of version.files) {
    if (await store.has(file.digest)) continue;
    const isThere = await orTransient(shelf.label, version, signal, async () => {
      const source = await openVerified(shelf, file, version, signal);
      if (source !== null) await store.write(source, { expect: file.digest, maxBytes: file.size });
      return source !== null;
    });
    if (!isThere) return false;
  }
  // The digest of several files is that of their listing, which is stored too.
  const { digest } = await freezeFiles(store, version.files);
  return digest === version.content.digest;
}
