import type { Writable } from "node:stream";
import type { Frozen } from "../delivery/frozen.ts";
import type { ArtifactKind, ArtifactName, Digest, Location, RegistryName } from "../delivery/types.ts";
import type { Run } from "../run/run.ts";

/** Frozen content with the facts of its release: registries that have a place for them keep them beside the bytes. */
export interface StampedContent extends Frozen {
  kind: ArtifactKind;
  /** As `releaseMetadata` of src/delivery/metadata.ts gives it: the keys are those of an image's labels. */
  metadata: Record<string, string>;
}

/** What stands under a name now. */
export interface Found {
  digest: Digest;
}

export interface Registry {
  /** Login and right to push; leaves nothing behind. @throws ConfigError (wrong credentials, no such place), TransientError. */
  check(): Promise<void>;
  /**
   * What stands under this name now; null: nothing.
   * @param content what is thought to stand there: a registry of files needs to know which. The digest that is found equals
   * its digest only where the very same bytes stand, all of them. @throws TransientError, Refused.
   */
  find(name: ArtifactName, run: Run, content: Frozen): Promise<Found | null>;
  /** Sends content ahead of its names, where that is invisible. Idempotent: what is there already is not sent again. */
  upload?(content: StampedContent, name: ArtifactName, run: Run): Promise<void>;
  /**
   * Puts the name on the content and reads the digest back. Same content under the name: success. Other content under an
   * immutable name: Refused `name-taken`. Moving names are overwritten. @throws TransientError to be tried again.
   */
  publish(content: StampedContent, name: ArtifactName, run: Run): Promise<Location>;
  /**
   * Brings content that was published under this name back into the store, where this host no longer has it, or never had.
   * @returns false: it is not here any more. @throws TransientError.
   */
  restore(name: RegistryName, run: Run, content: Frozen): Promise<boolean>;
  /**
   * Streams the content into the sink, verified: an image as the tar of an OCI layout, one file as it is, several as a tar.
   * @throws TransientError, Refused when it is gone.
   */
  pull(name: RegistryName, into: Writable, run: Run, content: Frozen): Promise<void>;
}
