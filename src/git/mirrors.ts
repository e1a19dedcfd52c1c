import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { RepoId } from "../delivery/types.ts";
import { usageOf } from "./disk-usage.ts";
import { Mirror, type MirrorOptions } from "./mirror.ts";
import { QuickRefs } from "./quick-refs.ts";

/**
 * The mirrors under one directory, one for each repo. Only the process that holds the directory's lock writes there.
 */
export class Mirrors {
  readonly #root: string;
  readonly #options: MirrorOptions;
  /** Shared by all mirrors, as is its pool of connections. */
  readonly #quickRefs = new QuickRefs();
  readonly #open = new Map<RepoId, Mirror>();
  readonly #closing = new AbortController();

  constructor(root: string, options: MirrorOptions = {}) {
    // Every running git listens to it.
    setMaxListeners(0, this.#closing.signal);
    this.#root = root;
    this.#options = options;
  }

  /** The repo's mirror: one object for each id. Nothing is created or fetched yet. */
  open(repo: RepoId): Mirror {
    const known = this.#open.get(repo);
    if (known) return known;
    const path = mirrorPath(this.#root, repo);
    const mirror = new Mirror(path, this.#closing.signal, this.#quickRefs, this.#options);
    this.#open.set(repo, mirror);
    return mirror;
  }

  /** Bytes of a repo's mirror, and when it was last synced (ms since the epoch). Null: there is none. */
  async usage(repo: RepoId): Promise<{ bytes: number; usedAt: number } | null> {
    return usageOf(mirrorPath(this.#root, repo));
  }

  /** Removes a repo's mirror. The next sync makes it again. Do not call it while the mirror is in use. */
  async remove(repo: RepoId): Promise<void> {
    this.#open.delete(repo);
    await rm(mirrorPath(this.#root, repo), { recursive: true, force: true });
  }

  /** Ends every running git. The next start repairs what they left. */
  close(): void {
    this.#closing.abort(new Error("the mirrors are closed"));
  }
}

/** Where the mirror of a repo is, among those under `root`. */
export function mirrorPath(root: string, repo: RepoId): string {
  return join(root, `${folderOf(repo)}.git`);
}

/** A readable name that is unique even if two ids differ only in characters that a file name cannot have. */
function folderOf(repo: RepoId): string {
  const readable = repo.replace(/[^A-Za-z0-9-]+/g, "-").slice(0, 60);
  return `${readable}-${createHash("sha256").update(repo).digest("hex").slice(0, 12)}`;
}
