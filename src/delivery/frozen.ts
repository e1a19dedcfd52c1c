import type { Digest, FrozenFile, PackageIdentity } from "./types.ts";

/** An artifact's final bytes. They are in the store, under their digest, before anyone outside sees them. */
export interface Frozen {
  /**
   * Of an image: its manifest's. Of one file: the file's. Of several: their listing's (`freezeFiles`,
   * src/store/files.ts).
   */
  digest: Digest;
  /** Media type of the manifest, for an image. */
  mediaType: string;
  /** Bytes in all. */
  size: number;
  /** Sorted by name. Left out for an image. */
  files?: FrozenFile[];
  /** The name and version inside the package, where the artifact's kind is a package. */
  package?: PackageIdentity;
}
