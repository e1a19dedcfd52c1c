import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Digest } from "../../delivery/types.ts";

/** The digest and the size of a file, which is streamed. */
export async function hashOf(path: string): Promise<{ digest: Digest; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  return { digest: `sha256:${hash.digest("hex")}`, size };
}
