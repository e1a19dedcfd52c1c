import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";

/** Streams a tar into the sink as `fill` adds to it; where that fails, the sink is destroyed before its end. */
export async function writeTar(into: Writable, signal: AbortSignal, fill: (tar: Pack) => Promise<void>): Promise<void> {
  const tar = pack();
  const written = pipeline(tar, into, { signal });
  try {
    await fill(tar);
    tar.finalize();
  } catch (error) {
    tar.destroy(error as Error);
    await written.catch(() => {});
    throw error;
  }
  await written;
}
