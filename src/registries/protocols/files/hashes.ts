import { createHash } from "node:crypto";
import type { Body } from "../../../http/body.ts";

/** Digests of a body in one pass over it, in the order of `algorithms`. @param algorithms as node:crypto names them */
export async function hashesOf(body: Body, algorithms: readonly string[]): Promise<Buffer[]> {
  const hashes = algorithms.map((name) => createHash(name));
  for await (const chunk of body.open()) for (const hash of hashes) hash.update(chunk);
  return hashes.map((hash) => hash.digest());
}
