import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { TransientError } from "../delivery/errors.ts";
import type { Digest } from "../delivery/types.ts";

/** Content on its way into the store. It is hashed while it is written, and nobody can see it until `keep`. */
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

  /** @param directory on the store's file system, so that `keep` is one rename */
  static async start(directory: string): Promise<Incoming> {
    const path = join(directory, randomUUID());
    return new Incoming(await open(path, "wx", 0o600), path);
  }

  /** Bytes received so far. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a stream. If the stream breaks, the bytes received so far stay, so that the sender can continue.
   * @param admit called before each chunk is written; it throws to refuse the chunk
   * @throws what `admit` and the stream throw, TransientError `disk-full`
   */
  async append(source: Readable, admit: (bytes: number) => void): Promise<void> {
    // A refused request must stay open for its answer. The caller decides whether to destroy it.
    const chunks: AsyncIterable<Buffer> = source.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      admit(chunk.length);
      await this.#write(chunk);
      this.#hash.update(chunk);
      this.#size += chunk.length;
    }
  }

  /**
   * Makes it part of the store. This is atomic even if the power fails: the bytes reach the disk before the name does.
   * @throws TransientError `digest-mismatch`: the bytes were damaged on the way, and are removed
   */
  async keep(place: (digest: Digest) => string, expect?: Digest): Promise<{ digest: Digest; size: number }> {
    this.#ended = true;
    const digest = `sha256:${this.#hash.digest("hex")}`;
    try {
      if (expect !== undefined && digest !== expect) {
        throw new TransientError(
          "digest-mismatch",
          `The content should have the digest ${expect}, but it has ${digest}.`,
        );
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
      if (this.#ended) throw new TransientError("upload-ended", "The upload ended before all its bytes arrived.");
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
