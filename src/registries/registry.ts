import type { Writable } from "node:stream";
import type { Frozen } from "../delivery/frozen.ts";
import type { Attachment } from "../delivery/proof/attachment.ts";
import type { ArtifactKind, ArtifactName, Digest, Location, RegistryName } from "../delivery/types.ts";
import type { Run } from "../run/run.ts";

/** Frozen content with metadata about its release. Registries with a place for metadata store it beside the bytes. */
export interface StampedContent extends Frozen {
  kind: ArtifactKind;
  /** From `releaseMetadata` in src/delivery/metadata.ts, with the keys of an image's labels. */
  metadata: Record<string, string>;
}

/** The content that a name stands for now. */
export interface Found {
  digest: Digest;
}

export interface Registry {
  /** Checks the login and the right to push, and leaves nothing behind. @throws ConfigError, TransientError */
  check(): Promise<void>;
  /**
   * The content that this name stands for now. Null: none.
   * @param content the expected content: a registry of files needs its file names. The found digest equals its digest
   *   only if exactly the same bytes are there, all of them. @throws TransientError, Refused
   */
  find(name: ArtifactName, run: Run, content: Frozen): Promise<Found | null>;
  /** Sends content before it has a name, so nobody sees it. It may be repeated: what is there is not sent again. */
  upload?(content: StampedContent, name: ArtifactName, run: Run): Promise<void>;
  /**
   * Gives the content a name and reads the digest back. The same content under the name is a success; other content
   * under an immutable name is Refused `name-taken`. Moving names are overwritten. @throws TransientError to be retried
   */
  publish(content: StampedContent, name: ArtifactName, run: Run): Promise<Location>;
  /**
   * Fetches content that was published under this name into the store, if this host does not have it.
   * @returns false if the registry does not have it @throws TransientError
   */
  restore(name: RegistryName, run: Run, content: Frozen): Promise<boolean>;
  /**
   * Streams the content into the sink, verified: an image as the tar of an OCI layout, one file as it is, several as a
   * tar.
   * @throws TransientError, Refused if it is gone
   */
  pull(name: RegistryName, into: Writable, run: Run, content: Frozen): Promise<void>;
  /**
   * Puts the proof of a content beside it, and reads it back. What others put there stays. Repeated, it changes nothing.
   * For one digest it is never called twice at a time.
   * @param names of the content, all in one repository
   * @returns how it stands there, for people. Null: the registry has no place for the proof of such a content
   * @throws TransientError to be retried, Refused if the registry will never take it
   */
  attach?(
    proof: Attachment,
    names: readonly RegistryName[],
    how: AttachOptions,
    run: Run,
    content: Frozen,
  ): Promise<string | null>;
}

export interface AttachOptions {
  /** For an image: also under the tag where older verifiers look. */
  legacyTag: boolean;
}
