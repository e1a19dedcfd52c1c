import type { Readable } from "node:stream";
import { Coalescer } from "../../../src/async/coalescer.ts";
import type { HistoryCommit } from "../../../src/delivery/history.ts";
import { TAGS, tagNames } from "../../../src/delivery/refs.ts";
import type { RepoId, Sha } from "../../../src/delivery/types.ts";
import type { MirrorCommit } from "../../../src/git/commit.ts";
import type { CommitsByRef } from "../../../src/git/commits-by-ref.ts";
import { commitGone } from "../../../src/git/entry.ts";
import type { Mirror } from "../../../src/git/mirror.ts";
import type { Mirrors } from "../../../src/git/mirrors.ts";
import type { Refs } from "../../../src/git/sync.ts";
import type { TreeEntry } from "../../../src/git/tree.ts";
import type { CloneSource } from "../../../src/hosts/host.ts";
import type { Scheduler } from "../machine/scheduler.ts";
import type { History } from "./history.ts";

/** What the git server of a host answers. */
export interface GitServer {
  /** Refs of the repo at this URL, as they are when the request arrives. */
  fetch(source: CloneSource, signal: AbortSignal): Promise<{ refs: Map<string, Sha>; defaultBranch: string }>;
}

/** What a mirror holds on disk: it outlives its process. */
export interface MirrorDisk {
  refs: Map<string, Sha>;
  commits: Set<Sha>;
}

type Ports = { scheduler: Scheduler; history: History; server: GitServer };

/** Stands in for `Mirrors`: one mirror for each repo, on the disks of one data folder. */
export function simMirrors(disks: Map<RepoId, MirrorDisk>, ports: Ports): Mirrors {
  const open = new Map<RepoId, SimMirror>();
  const mirrors: Pick<Mirrors, keyof Mirrors> = {
    open(repo) {
      const disk = disks.get(repo) ?? { refs: new Map(), commits: new Set() };
      disks.set(repo, disk);
      const known = open.get(repo) ?? new SimMirror(disk, ports);
      open.set(repo, known);
      // A class with private fields is more than its methods to TypeScript; nobody uses more of it.
      return known as unknown as Mirror;
    },
    usage: async () => null,
    remove: async (repo) => void open.delete(repo),
    close: () => {},
  };
  return mirrors as unknown as Mirrors;
}

/** The public methods of `Mirror`, over a history in memory: the narrowest seam above git itself. */
class SimMirror implements Omit<Mirror, "path"> {
  readonly #disk: MirrorDisk;
  readonly #ports: Ports;
  readonly #syncs: Coalescer<CloneSource, Refs>;
  #latest: { refs: Refs; at: number } | null = null;

  constructor(disk: MirrorDisk, ports: Ports) {
    this.#disk = disk;
    this.#ports = ports;
    this.#syncs = new Coalescer(
      (source, signal) => this.#sync(source, signal),
      async () => {},
    );
  }

  async #sync(source: CloneSource, signal: AbortSignal): Promise<Refs> {
    const at = this.#ports.scheduler.now;
    this.#latest = null;
    const { refs, defaultBranch } = await this.#ports.server.fetch(source, signal);
    this.#disk.refs = refs;
    for (const tip of refs.values()) for (const sha of this.#ports.history.ancestors(tip)) this.#disk.commits.add(sha);
    const synced = { commits: new Map(refs), objects: new Map(refs), defaultBranch, moved: true };
    this.#latest = { refs: synced, at };
    return synced;
  }

  sync(source: CloneSource, signal: AbortSignal): Promise<Refs> {
    return this.#syncs.call(source, signal);
  }

  latest(age: number): Refs | null {
    return this.#latest !== null && this.#ports.scheduler.now - this.#latest.at < age ? this.#latest.refs : null;
  }

  async remoteRefs(source: CloneSource, signal: AbortSignal): Promise<Map<string, Sha>> {
    return (await this.#ports.server.fetch(source, signal)).refs;
  }

  async refs(): Promise<Map<string, Sha>> {
    return new Map(this.#disk.refs);
  }

  async refsContaining(sha: Sha): Promise<string[]> {
    return [...this.#disk.refs].flatMap(([ref, tip]) => (this.#ports.history.ancestors(tip).has(sha) ? [ref] : []));
  }

  async has(sha: Sha): Promise<boolean> {
    return this.#disk.commits.has(sha);
  }

  async commit(sha: Sha): Promise<MirrorCommit> {
    const { committedAt, message, parents } = this.#require(sha);
    return { sha, committedAt: new Date(committedAt), message, author: "Ada <ada@example.com>", parents };
  }

  async readFile(sha: Sha, path: string): Promise<string | null> {
    const { pipeline } = this.#require(sha);
    if (path === ".deliverd.yml") return pipeline;
    return path.endsWith("Dockerfile") ? "FROM scratch\n" : null;
  }

  async entry(sha: Sha, path: string): Promise<TreeEntry | null> {
    this.#require(sha);
    const isFile = path.endsWith("Dockerfile") || path === ".deliverd.yml";
    return { kind: isFile ? "regular file" : "directory", size: isFile ? 13 : 0, object: sha };
  }

  // biome-ignore lint/correctness/useYield: simulated builders read no tree.
  async *tree(): AsyncGenerator<[path: string, entry: TreeEntry]> {
    throw new Error("simulated builders read no tree");
  }

  async archive(): Promise<Readable> {
    throw new Error("simulated builders read no tree");
  }

  async tagsOn(sha: Sha): Promise<string[]> {
    return tagNames([...this.#disk.refs].flatMap(([ref, at]) => (at === sha ? [ref] : [])));
  }

  async tagsReachable(sha: Sha): Promise<string[]> {
    const before = this.#ports.history.ancestors(sha);
    return tagNames([...this.#disk.refs].flatMap(([ref, at]) => (before.has(at) ? [ref] : [])));
  }

  async count(fromTag: string | null, sha: Sha): Promise<number> {
    const without = this.#ports.history.ancestors(fromTag === null ? "" : (this.#disk.refs.get(TAGS + fromTag) ?? ""));
    return [...this.#ports.history.ancestors(sha)].filter((each) => !without.has(each)).length;
  }

  async commitsByRef(refs: string[], among: ReadonlySet<Sha>): Promise<CommitsByRef> {
    return new Map(
      refs.flatMap((ref) => {
        const tip = this.#disk.refs.get(ref);
        if (tip === undefined) return [];
        const held = [...this.#ports.history.ancestors(tip)].filter((sha) => among.has(sha));
        return [[ref, this.#ports.history.newestFirst(held)] as const];
      }),
    );
  }

  async history(sha: Sha, globs: string[]): Promise<Map<Sha, HistoryCommit>> {
    const { history } = this.#ports;
    if (!(await this.has(sha))) return new Map();
    const folders = globs.map((glob) => glob.split("/", 1)[0] ?? "");
    return new Map(
      history.newestFirst(history.ancestors(sha)).map((each) => {
        const { parents } = history.require(each);
        const steps = parents.map((parent) => ({ sha: parent, differs: history.differs(each, parent, folders) }));
        return [each, { parents: steps }];
      }),
    );
  }

  async isAncestor(ancestor: Sha, descendant: Sha): Promise<boolean> {
    const isThere = this.#disk.commits.has(ancestor) && this.#disk.commits.has(descendant);
    return isThere && this.#ports.history.ancestors(descendant).has(ancestor);
  }

  async newCommits(known: Sha[], heads: Sha[]): Promise<Sha[]> {
    const { history } = this.#ports;
    const old = new Set(known.flatMap((sha) => [...history.ancestors(sha)]));
    const found = new Set(heads.flatMap((sha) => [...history.ancestors(sha)].filter((each) => !old.has(each))));
    return history.newestFirst(found);
  }

  #require(sha: Sha) {
    if (!this.#disk.commits.has(sha)) throw commitGone(sha);
    return this.#ports.history.require(sha);
  }
}
