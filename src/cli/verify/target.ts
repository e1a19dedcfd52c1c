import type { Digest } from "../../delivery/types.ts";

/** A signed statement that was found, and where. */
export interface FoundBundle {
  from: string;
  text: string;
}

/** What is to be verified: bytes, by their digests, and the statements that were found beside them. */
export interface Target {
  /** For people. */
  label: string;
  digests: Digest[];
  bundles: FoundBundle[];
  /** What was read of the bytes, for people. */
  bytes: string;
}
