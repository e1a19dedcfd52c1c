import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { RepoId } from "../delivery/types.ts";
import { usageOf } from "./disk-usage.ts";
import { Mirror, type MirrorOptions } from "./mirror.ts";
import { QuickRefs } from "./quick-refs.ts";

/** The bare repositories under one directory, one a repo. The process that holds the directory is the only one that writes there. */
export class Mirrors {
  readonly #root: string;
  readonly #options: MirrorOptions;
  /** Shared by all mirrors, as is its pool of connections. */
  readonly #quickRefs = new QuickRefs();
  readonly #open = new Map<RepoId, Mirror>();
  readonly #closing = new AbortController();

  constructor(root: string, options: MirrorOptions = {}) {
    // Every git that runs listens to it.
    setMaxListeners(0, this.#closing.signal);
    this.#root = root;
    this.#options = options;
  }

  /** The repo's mirror, always the same object for the same id. Nothing is made or fetched yet. */
  open(repo: RepoId): Mirror {
    const known = this.#open.get(repo);
    if (known) return known;
    const path = join(this.#root, `${folderOf(repo)}.git`);
    const mirror = new Mirror(path, this.#closing.signal, this.#quickRefs, this.#options);
    this.#open.set(repo, mirror);
    return mirror;
  }

  /** What a repo's mirror takes on disk, and when it was last synced (ms since the epoch); null: there is none. */
  async usage(repo: RepoId): Promise<{ bytes: number; usedAt: number } | null> {
    return usageOf(join(this.#root, `${folderOf(repo)}.git`));
  }

  /** Removes a repo's mirror; the next sync makes it anew. Not to be called while anything needs it. */
  async remove(repo: RepoId): Promise<void> {
    this.#open.delete(repo);
    await rm(join(this.#root, `${folderOf(repo)}.git`), { recursive: true, force: true });
  }

  /** Ends every git that runs; what they did half is repaired at the next start. */
  close(): void {
    this.#closing.abort(new Error("the mirrors are closed"));
  }
}

/** Readable, and unique even where two ids differ only in what a file name cannot hold or tell apart. */
function folderOf(repo: RepoId): string {
  const readable = repo.replace(/[^A-Za-z0-9-]+/g, "-").slice(0, 60);
  return `${readable}-${createHash("sha256").update(repo).digest("hex").slice(0, 12)}`;
}
