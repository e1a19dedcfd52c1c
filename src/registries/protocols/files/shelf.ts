import type { Readable } from "node:stream";
import type { Frozen } from "../../../delivery/frozen.ts";
import type { Digest, FrozenFile, RegistryName } from "../../../delivery/types.ts";
import type { Body } from "../../../http/body.ts";
import type { Run } from "../../../run/run.ts";
import type { StampedContent } from "../../registry.ts";

/** One version of an artifact in a registry of files. */
export interface Version {
  name: RegistryName;
  content: Frozen;
  /** The files of the content, at least one. */
  files: readonly FrozenFile[];
}

/** A version that is being published. */
export interface VersionUpload extends Version {
  content: StampedContent;
  source(file: FrozenFile): Source;
}

/** A file's bytes. They can be read several times, and are streamed from the store, never held in memory as a whole. */
export interface Source extends Body {
  /** @param range from `start` to `end`, both included. Left out: all bytes */
  open(range?: { start?: number; end?: number }): Readable;
}

/** A file that a registry has under the name of one of ours. */
export interface ExistingFile {
  /** The digest, if the registry computed it from its present bytes. Null: the bytes have to be read. */
  digest: Digest | null;
  /** A value that changes with the bytes, such as a strong ETag: bytes that were read once need not be read again. */
  mark?: string | null;
  /** @throws TransientError, Refused */
  open(): Promise<Readable>;
}

/**
 * What a type of registry does for one file of one version. `FileRegistry` makes a registry of it. Each method throws
 * TransientError to be retried, Refused if the registry refuses, and the signal's reason if it is aborted.
 */
export interface Shelf {
  /** For errors, as in `registry files (files.example.com)`. */
  readonly label: string;
  /** Checks the login and the right to write, and leaves nothing behind. A Refused becomes a ConfigError. */
  check(signal: AbortSignal): Promise<void>;
  /** Looks up a file. Null: there is none. */
  look(file: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null>;
  /** Called once before any file is looked up. It refuses what cannot be a version in this registry. */
  begin?(release: VersionUpload, run: Run): Promise<void>;
  /**
   * Sends one file that was not there a moment ago. Afterwards it is looked up, whatever the answer was.
   * @throws Refused if the registry refuses; `name-taken` if a status of its own says that such a file exists
   */
  put(file: FrozenFile, release: VersionUpload, run: Run): Promise<void>;
  /**
   * Completes the version after its files, with metadata for example. It is called each time, so it first checks what
   * exists.
   */
  finish?(release: VersionUpload, run: Run): Promise<void>;
  /**
   * Puts a small file beside one file of the version, and reads it back. A file of other content there is replaced, if
   * the server lets us. Left out: the registry takes no other files.
   * @param name of the small file
   */
  putBeside?(name: string, text: string, version: Version, run: Run): Promise<void>;
  /** The URL of the version, and a command that fetches it. */
  locate(version: Version): { url: string; pull: string };
}
