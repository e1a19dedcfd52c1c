import * as z from "zod";
import type { Digest } from "../../../delivery/types.ts";
import type { VersionUpload } from "./shelf.ts";

export const SIDECAR = "deliverd.json";
export const SIDECAR_MAX_BYTES = 1024 * 1024;

/**
 * The metadata file of a release, for registries without a place for metadata. A release always gives the same bytes.
 */
export function sidecarOf({ content, files }: Pick<VersionUpload, "content" | "files">): string {
  const { kind, digest, metadata } = content;
  const listed = files.map(({ name, digest, size }) => ({ name, digest, size }));
  return `${JSON.stringify({ kind, digest, files: listed, metadata }, null, 2)}\n`;
}

const sidecar = z.object({ digest: z.string() });

/** The digest in a metadata file. Null: the file is not ours. */
export function digestInSidecar(bytes: Buffer): Digest | null {
  try {
    return sidecar.parse(JSON.parse(bytes.toString("utf8"))).digest;
  } catch {
    return null;
  }
}
