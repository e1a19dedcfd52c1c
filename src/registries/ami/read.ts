import type { AmiApi } from "./api.ts";
import type { Block } from "./blocks.ts";

/** Each is half a megabyte. */
const AT_ONCE = 8;

/** Every block of a completed snapshot, in their order, some being fetched ahead. */
export async function* blocksIn(api: AmiApi, snapshotId: string, signal: AbortSignal): AsyncGenerator<Block> {
  const coming: Promise<Block>[] = [];
  try {
    for await (const page of api.list(snapshotId, signal)) {
      for (const { index, token } of page) {
        const block = api.get({ snapshotId, index, token }, signal).then((bytes) => ({ index, bytes }));
        // Whoever is first in the queue tells of its failure.
        block.catch(() => {});
        coming.push(block);
        if (coming.length >= AT_ONCE) yield* first(coming);
      }
    }
    while (coming.length > 0) yield* first(coming);
  } finally {
    await Promise.allSettled(coming);
  }
}

async function* first(coming: Promise<Block>[]): AsyncGenerator<Block> {
  const block = coming.shift();
  if (block !== undefined) yield await block;
}
