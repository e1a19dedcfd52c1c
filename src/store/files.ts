import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Frozen } from "../delivery/frozen.ts";
import type { FrozenFile } from "../delivery/types.ts";
import type { Store } from "./store.ts";

const ONE_FILE = "application/octet-stream";
const SEVERAL_FILES = "application/vnd.deliverd.files.v1";

/**
 * Makes one content of files that are in the store. The digest of one file is its own. The digest of several is that of
 * their listing, which is stored too: sorted lines `<sha256>  <name>`, as `sha256sum` writes them.
 */
export async function freezeFiles(
  store: Store,
  files: readonly FrozenFile[],
): Promise<Frozen & { files: FrozenFile[] }> {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const size = sorted.reduce((sum, file) => sum + file.size, 0);
  const [first, ...others] = sorted;
  if (first === undefined) throw new TypeError("an artifact without files");
  if (others.length === 0) return { digest: first.digest, mediaType: ONE_FILE, size, files: sorted };
  const listing = Buffer.from(listingOf(sorted));
  const { digest } = await store.write(Readable.from([listing]), { maxBytes: listing.length });
  return { digest, mediaType: SEVERAL_FILES, size, files: sorted };
}

/** The digest of a content with these files. Two contents are the same only if their digests are equal. */
export function digestOfFiles(files: readonly Pick<FrozenFile, "name" | "digest">[]): string {
  const [first] = files;
  if (files.length === 1 && first !== undefined) return first.digest;
  return `sha256:${createHash("sha256").update(listingOf(files)).digest("hex")}`;
}

function listingOf(files: readonly Pick<FrozenFile, "name" | "digest">[]): string {
  const lines = files.map(({ name, digest }) => `${digest.slice("sha256:".length)}  ${name}\n`);
  return lines.sort().join("");
}
