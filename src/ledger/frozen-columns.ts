import type { Frozen } from "../builders/builder.ts";
import type { Digest } from "../delivery/types.ts";

/** How a frozen content stands in a table. */
export interface FrozenColumns {
  digest: Digest | null;
  mediaType: string | null;
  size: number | null;
  /** JSON of its files and of what they say of themselves; null for an image. */
  parts: string | null;
}

/** Null: none is there. */
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
