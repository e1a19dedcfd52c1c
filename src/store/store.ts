import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Refused, TransientError, UserError } from "../delivery/errors.ts";
import type { Digest } from "../delivery/types.ts";
import { digestOf, isDigest } from "./digest.ts";
import { Incoming } from "./incoming.ts";
import { type Descriptor, MAX_MANIFEST_BYTES, type Manifest, readManifest } from "./manifest.ts";

/** All parts of an image or an index of images. */
export interface Content {
  /** An index comes after the manifests that it lists. The last manifest is the one that was asked for. */
  manifests: Manifest[];
  /** Configs and layers, each digest once. */
  blobs: Descriptor[];
  /** Bytes of all of them. */
  size: number;
}

/** With Node's default of 64 kB, sending a large layer takes a third more CPU time. */
const READ_CHUNK_BYTES = 256 * 1024;

/** Frozen content by digest, in `<root>/blobs/sha256/<hex>`. A file with such a name is complete. */
export class Store {
  readonly #blobs: string;
  readonly #incoming: string;

  constructor(root: string) {
    this.#blobs = join(root, "blobs", "sha256");
    this.#incoming = join(root, "incoming");
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.size(digest)) !== null;
  }

  /** Size in bytes. Null: the store does not have it. */
  async size(digest: Digest): Promise<number | null> {
    try {
      return (await stat(this.#path(digest))).size;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /**
   * Streams the content, or its bytes from `start` to `end`, both included. It fails with ENOENT if there is no such
   * content.
   */
  open(digest: Digest, range: { start?: number; end?: number } = {}): Readable {
    return createReadStream(this.#path(digest), { ...range, highWaterMark: READ_CHUNK_BYTES });
  }

  /**
   * After an error nothing is left.
   * @throws UserError `content-too-large`, TransientError `digest-mismatch`, `disk-full`
   */
  async write(
    source: Readable,
    options: { expect?: Digest; maxBytes: number },
  ): Promise<{ digest: Digest; size: number }> {
    const incoming = await this.receive();
    try {
      await incoming.append(source, (bytes) => {
        if (incoming.size + bytes <= options.maxBytes) return;
        throw new UserError(
          "content-too-large",
          `The content is larger than the ${options.maxBytes} bytes that are allowed.`,
        );
      });
    } catch (error) {
      source.destroy();
      await incoming.discard();
      throw error;
    }
    return this.keep(incoming, options.expect);
  }

  /** Starts a content that comes in parts. End it with `keep` or with its own `discard`. */
  async receive(): Promise<Incoming> {
    await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
    return Incoming.start(this.#incoming);
  }

  async keep(incoming: Incoming, expect?: Digest): Promise<{ digest: Digest; size: number }> {
    await mkdir(this.#blobs, { recursive: true, mode: 0o700 });
    return incoming.keep((digest) => this.#path(digest), expect);
  }

  /** @throws TransientError `content-gone` if the store does not have it, Refused `manifest-invalid` */
  async manifest(digest: Digest): Promise<Manifest> {
    const size = await this.size(digest);
    if (size === null) throw new TransientError("content-gone", `The store no longer has ${digest}.`);
    if (size > MAX_MANIFEST_BYTES)
      throw new Refused("manifest-invalid", `${digest} is too large for an image manifest.`);
    const bytes = await readFile(this.#path(digest));
    if (digestOf(bytes) !== digest) {
      throw new TransientError("content-damaged", `The bytes of ${digest} in the store are damaged: check the disk.`);
    }
    return readManifest(bytes);
  }

  /** @throws as `manifest` does */
  async contentOf(digest: Digest): Promise<Content> {
    const manifests = new Map<Digest, Manifest>();
    const blobs = new Map<Digest, Descriptor>();
    const visit = async (each: Digest): Promise<void> => {
      if (manifests.has(each)) return;
      const manifest = await this.manifest(each);
      for (const child of manifest.children) await visit(child.digest);
      for (const blob of manifest.blobs) blobs.set(blob.digest, blob);
      manifests.set(each, manifest);
    };
    await visit(digest);
    const all = [...manifests.values(), ...blobs.values()];
    return {
      manifests: [...manifests.values()],
      blobs: [...blobs.values()],
      size: all.reduce((sum, { size }) => sum + size, 0),
    };
  }

  /** All contents, with their sizes and when they were last used (ms since the epoch). */
  async list(): Promise<{ digest: Digest; bytes: number; usedAt: number }[]> {
    const names = await readdir(this.#blobs).catch(noneWhereMissing);
    const found = await Promise.all(
      names.map(async (name) => {
        const about = await stat(join(this.#blobs, name)).catch(() => null);
        return about === null ? [] : [{ digest: `sha256:${name}`, bytes: about.size, usedAt: about.mtimeMs }];
      }),
    );
    return found.flat();
  }

  /** Marks a content as used, so that housekeeping keeps it for a while. */
  async touch(digest: Digest): Promise<void> {
    const now = new Date();
    await utimes(this.#path(digest), now, now).catch(() => {});
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#path(digest), { force: true });
  }

  /**
   * Removes incomplete content of processes that died.
   * @param before ms since the epoch: later files may still be growing
   */
  async removeAbandoned(before: number): Promise<void> {
    for (const name of await readdir(this.#incoming).catch(noneWhereMissing)) {
      const path = join(this.#incoming, name);
      const changed = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => Number.POSITIVE_INFINITY,
      );
      if (changed < before) await rm(path, { force: true });
    }
  }

  #path(digest: Digest): string {
    // The digest becomes part of a path, so it is checked here.
    if (!isDigest(digest)) throw new TypeError("not a sha256 digest");
    return join(this.#blobs, digest.slice("sha256:".length));
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function noneWhereMissing(error: unknown): string[] {
  if (isMissing(error)) return [];
  throw error;
}
