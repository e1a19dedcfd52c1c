import type { Sha } from "../../../src/delivery/types.ts";

/** A commit as git holds it. */
export interface SimCommit {
  sha: Sha;
  parents: Sha[];
  committedAt: number;
  message: string;
  /** The text of `.deliverd.yml`. */
  pipeline: string;
  /** By folder: what stands in it. */
  folders: Record<string, number>;
  /** What a build of it ends in. */
  buildFails: boolean;
}

/** Every commit that anybody ever made. What git computes from commits is computed here. */
export class History {
  readonly #commits = new Map<Sha, SimCommit>();
  readonly #ancestors = new Map<Sha, Set<Sha>>();

  add(commit: SimCommit): void {
    const before = commit.parents.flatMap((parent) => [...this.ancestors(parent)]);
    this.#commits.set(commit.sha, commit);
    this.#ancestors.set(commit.sha, new Set([commit.sha, ...before]));
  }

  get(sha: Sha): SimCommit | undefined {
    return this.#commits.get(sha);
  }

  require(sha: Sha): SimCommit {
    const commit = this.#commits.get(sha);
    if (commit === undefined) throw new Error(`there is no commit ${sha}`);
    return commit;
  }

  all(): SimCommit[] {
    return [...this.#commits.values()];
  }

  /** The commit and all before it. */
  ancestors(sha: Sha): ReadonlySet<Sha> {
    return this.#ancestors.get(sha) ?? new Set();
  }

  /** Newest first, every commit before its parents. */
  newestFirst(shas: Iterable<Sha>): Sha[] {
    const depth = (sha: Sha) => this.ancestors(sha).size;
    return [...shas].sort((one, other) => depth(other) - depth(one) || (one < other ? -1 : 1));
  }

  differs(sha: Sha, parent: Sha, folders: string[]): boolean {
    const [own, before] = [this.require(sha).folders, this.require(parent).folders];
    return folders.some((folder) => own[folder] !== before[folder]);
  }
}
