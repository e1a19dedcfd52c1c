import { createHash } from "node:crypto";
import type { Body } from "../../../http/body.ts";

/**
 * Computes several digests of a body in one pass.
 * @param algorithms names of node:crypto; the result has their order
 */
export async function hashesOf(body: Body, algorithms: readonly string[]): Promise<Buffer[]> {
  const hashes = algorithms.map((name) => createHash(name));
  for await (const chunk of body.open()) for (const hash of hashes) hash.update(chunk);
  return hashes.map((hash) => hash.digest());
}
