import type { Frozen } from "../delivery/frozen.ts";
import type { Digest } from "../delivery/types.ts";

/** The columns in which a table stores a frozen content. */
export interface FrozenColumns {
  digest: Digest | null;
  mediaType: string | null;
  size: number | null;
  /** JSON of the files and their package metadata; null for an image. */
  parts: string | null;
}

/** The frozen content in a row; null if its columns are empty. */
export function frozenOf<Row extends FrozenColumns>(
  row: Row,
): Row extends { digest: Digest; mediaType: string; size: number } ? Frozen : Frozen | null;
export function frozenOf({ digest, mediaType, size, parts }: FrozenColumns): Frozen | null {
  if (digest === null || mediaType === null || size === null) return null;
  const { files, package: identity } = JSON.parse(parts ?? "{}") as Pick<Frozen, "files" | "package">;
  return { digest, mediaType, size, ...(files && { files }), ...(identity && { package: identity }) };
}

export function frozenColumns({ digest, mediaType, size, files, package: identity }: Frozen) {
  return { digest, mediaType, size, parts: files === undefined ? null : JSON.stringify({ files, package: identity }) };
}
