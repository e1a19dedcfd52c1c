import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { TransientError } from "../delivery/errors.ts";
import type { Digest } from "../delivery/types.ts";

/** Content on its way into the store: hashed while written, and not seen by anyone until it is kept. */
export class Incoming {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #hash = createHash("sha256");
  #size = 0;
  #ended = false;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /** @param directory on the same file system as the store, so that keeping is one rename */
  static async start(directory: string): Promise<Incoming> {
    const path = join(directory, randomUUID());
    return new Incoming(await open(path, "wx", 0o600), path);
  }

  /** Bytes that have come so far. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a stream. When the stream breaks, what had come stays, so that its sender can go on from there.
   * @param admit is asked before each chunk is written, and throws where it is one too many
   * @throws what `admit` and the stream throw, TransientError `disk-full`
   */
  async append(source: Readable, admit: (bytes: number) => void): Promise<void> {
    // A request that is refused here must stay open for the answer: destroying it is the caller's choice.
    const chunks: AsyncIterable<Buffer> = source.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      admit(chunk.length);
      await this.#write(chunk);
      this.#hash.update(chunk);
      this.#size += chunk.length;
    }
  }

  /**
   * Makes it part of the store, all or nothing, also through a loss of power: the bytes reach the disk before the name does.
   * @throws TransientError `digest-mismatch`: the bytes were damaged on the way, and are dropped
   */
  async keep(place: (digest: Digest) => string, expect?: Digest): Promise<{ digest: Digest; size: number }> {
    this.#ended = true;
    const digest = `sha256:${this.#hash.digest("hex")}`;
    try {
      if (expect !== undefined && digest !== expect) {
        throw new TransientError("digest-mismatch", `The content was to be ${expect} but is ${digest}.`);
      }
      await this.#handle.sync();
      await this.#handle.close();
      const path = place(digest);
      await rename(this.#path, path);
      await syncDirectory(dirname(path));
      return { digest, size: this.#size };
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  async discard(): Promise<void> {
    this.#ended = true;
    await this.#handle.close().catch(() => {});
    await rm(this.#path, { force: true });
  }

  async #write(chunk: Buffer): Promise<void> {
    try {
      // Unlike write(), this goes on after a short write.
      await this.#handle.writeFile(chunk);
    } catch (error) {
      if (this.#ended) throw new TransientError("upload-ended", "The upload was ended while its bytes still came.");
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      throw new TransientError("disk-full", `The disk of ${dirname(this.#path)} is full: make room there.`, {
        cause: error,
      });
    }
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
