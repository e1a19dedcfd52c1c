import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Frozen } from "../delivery/frozen.ts";
import type { FrozenFile } from "../delivery/types.ts";
import type { Store } from "./store.ts";

const ONE_FILE = "application/octet-stream";
const SEVERAL_FILES = "application/vnd.deliverd.files.v1";

/**
 * Makes one content of files that lie in the store. Its digest is that of the one file; of several, that of their listing,
 * which is kept in the store as well: a line `<sha256>  <name>` each, sorted, as `sha256sum` writes it.
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

/** The digest that content of these files has: what stands somewhere is the same content only where this is equal. */
export function digestOfFiles(files: readonly Pick<FrozenFile, "name" | "digest">[]): string {
  const [first] = files;
  if (files.length === 1 && first !== undefined) return first.digest;
  return `sha256:${createHash("sha256").update(listingOf(files)).digest("hex")}`;
}

function listingOf(files: readonly Pick<FrozenFile, "name" | "digest">[]): string {
  const lines = files.map(({ name, digest }) => `${digest.slice("sha256:".length)}  ${name}\n`);
  return lines.sort().join("");
}
