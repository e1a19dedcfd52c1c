import { createHash } from "node:crypto";
import type { RepoId, Sha } from "./types.ts";

/** Short enough to type; 62 bits. */
const LENGTH = 12;
/** Digits and lower-case letters. */
const BASE = 36;

/**
 * The id of a commit's delivery. Images have it as a label, so it follows from the commit: whoever builds the commit
 * again, on another server or with `deliverd build`, gets the same image.
 */
export function deliveryIdOf(repoId: RepoId, sha: Sha): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([repoId, sha]))
    .digest("hex");
  const number = BigInt(`0x${hash}`) % BigInt(BASE) ** BigInt(LENGTH);
  return number.toString(BASE).padStart(LENGTH, "0");
}
