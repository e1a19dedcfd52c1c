import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { TransientError } from "../../delivery/errors.ts";
import type { Digest } from "../../delivery/types.ts";

/** The only size that the EBS direct API knows. */
const BLOCK = 524_288;

export interface Block {
  index: number;
  /** `BLOCK` bytes, the end of the last padded with zeros. */
  bytes: Buffer;
}

const EMPTY = Buffer.alloc(BLOCK);

/**
 * A disk image in blocks. Blocks of zeros are left out, except the first: a snapshot needs at least one block.
 * @throws TransientError `content-damaged` after the last one, where the bytes are not those of `digest`
 */
export async function* blocksOf(source: Readable, digest: Digest): AsyncGenerator<Block, void, undefined> {
  const hash = createHash("sha256");
  let index = 0;
  let filled = 0;
  let bytes = Buffer.alloc(BLOCK);
  for await (const chunk of source as AsyncIterable<Buffer>) {
    hash.update(chunk);
    for (let from = 0; from < chunk.length; ) {
      const taken = chunk.copy(bytes, filled, from);
      from += taken;
      filled += taken;
      if (filled < BLOCK) continue;
      if (index === 0 || !bytes.equals(EMPTY)) {
        yield { index, bytes };
        bytes = Buffer.alloc(BLOCK);
      }
      index += 1;
      filled = 0;
    }
  }
  if (filled > 0) {
    bytes.fill(0, filled);
    if (index === 0 || !bytes.equals(EMPTY)) yield { index, bytes };
  }
  if (`sha256:${hash.digest("hex")}` === digest) return;
  throw new TransientError("content-damaged", `The bytes of ${digest} in the store are damaged: check the disk.`);
}

/** What CompleteSnapshot wants of all blocks: the digest of their digests, in the order of the blocks. */
export function aggregateOf(checksums: ReadonlyMap<number, Buffer>): string {
  const hash = createHash("sha256");
  for (const [, checksum] of [...checksums].sort(([a], [b]) => a - b)) hash.update(checksum);
  return hash.digest("base64");
}

/** A disk's bytes in their order: the blocks that a snapshot holds, zeros between them, cut at `size`. */
export async function* joined(blocks: AsyncIterable<Block>, size: number): AsyncGenerator<Buffer, void, undefined> {
  let at = 0;
  for await (const { index, bytes } of blocks) {
    yield* zeros(Math.min(index * BLOCK, size) - at);
    at = Math.max(at, Math.min(index * BLOCK, size));
    const part = bytes.subarray(0, size - at);
    at += part.length;
    yield part;
  }
  yield* zeros(size - at);
}

function* zeros(count: number): Generator<Buffer> {
  for (let left = count; left > 0; left -= BLOCK) yield EMPTY.subarray(0, Math.min(left, BLOCK));
}
