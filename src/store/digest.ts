import { createHash } from "node:crypto";
import type { Digest } from "../delivery/types.ts";

/** Whether a text is `sha256:<64 hex>`. It is the only algorithm: a second one would give one content two names. */
export function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
