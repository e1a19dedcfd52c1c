import type { Writable } from "node:stream";
import type { Frozen } from "../builders/builder.ts";
import type { ArtifactName, Digest, Location } from "../delivery/types.ts";
import type { Run } from "../run.ts";

/** What stands under a name now. */
export interface Found {
  digest: Digest;
}

export interface Registry {
  /** Login and right to push; leaves nothing behind. @throws ConfigError (wrong credentials, no such place), TransientError. */
  check(): Promise<void>;
  /** What stands under this name now; null: nothing. @throws TransientError, Refused. */
  find(name: ArtifactName, run: Run): Promise<Found | null>;
  /** Sends content ahead of its names, where that is invisible. Idempotent: what is there already is not sent again. */
  upload?(content: Frozen, name: ArtifactName, run: Run): Promise<void>;
  /**
   * Puts the name on the content and reads the digest back. Same content under the name: success. Other content under an
   * immutable name: Refused. Moving names are overwritten. @throws TransientError to be tried again.
   */
  publish(content: Frozen, name: ArtifactName, run: Run): Promise<Location>;
  /**
   * Brings content that was published here back into the store, where this host no longer has it, or never had.
   * @returns false: it is not here any more. @throws TransientError.
   */
  restore(location: Location, run: Run): Promise<boolean>;
  /** Streams the content (an image: an OCI layout tar) into the sink. @throws TransientError, Refused when it is gone. */
  pull(location: Location, into: Writable, run: Run): Promise<void>;
}
