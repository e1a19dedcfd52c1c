import type { Readable } from "node:stream";
import type { Frozen } from "../../../delivery/frozen.ts";
import type { Digest, FrozenFile, RegistryName } from "../../../delivery/types.ts";
import type { Body } from "../../../http/body.ts";
import type { Run } from "../../../run/run.ts";
import type { StampedContent } from "../../registry.ts";

/** One version of an artifact, as a registry of files is asked for it. */
export interface Version {
  name: RegistryName;
  content: Frozen;
  /** Those of the content, at least one. */
  files: readonly FrozenFile[];
}

/** A version that is being published: its bytes are at hand. */
export interface VersionUpload extends Version {
  content: StampedContent;
  source(file: FrozenFile): Source;
}

/** A file's bytes, as often as they are wanted; they are streamed from the store, so they are never held as a whole. */
export interface Source extends Body {
  /** The bytes from `start` to `end`, both included; left out: all of them. */
  open(range?: { start?: number; end?: number }): Readable;
}

/** What stands in a registry under the name of one file. */
export interface ExistingFile {
  /** Where the registry computed it from the bytes that it has now; null: the bytes have to be read. */
  digest: Digest | null;
  /** What the registry changes whenever it changes the bytes, as a strong ETag: bytes that were read once need not be read again. */
  mark?: string | null;
  /** @throws TransientError, Refused */
  open(): Promise<Readable>;
}

/**
 * What a type of registry does for one file of one version; `FileRegistry` makes a registry of it. Each method throws
 * TransientError to be tried again, Refused where the registry says no, and the signal's reason when it is aborted.
 */
export interface Shelf {
  /** For errors, as in `registry files (files.example.com)`. */
  readonly label: string;
  /** Login and right to write; leaves nothing behind. @throws Refused too, which becomes a ConfigError */
  check(signal: AbortSignal): Promise<void>;
  /** Null: nothing stands there. */
  look(file: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null>;
  /** Called once before any file of the version is looked at: refuses what cannot become a version here. */
  begin?(release: VersionUpload, run: Run): Promise<void>;
  /**
   * Sends one file that was not there a moment ago. What became of it is looked up afterwards, whatever the answer was.
   * @throws Refused where the registry says no; `name-taken` where it says by a status of its own that such a file exists
   */
  put(file: FrozenFile, release: VersionUpload, run: Run): Promise<void>;
  /** Makes the version whole after its files: metadata beside them. Called each time, so it looks first whether all is well. */
  finish?(release: VersionUpload, run: Run): Promise<void>;
  /** Where it stands, and the command by which a person fetches it. */
  locate(version: Version): { url: string; pull: string };
}
