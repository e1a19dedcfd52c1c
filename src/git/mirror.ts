import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { Coalescer } from "../async/coalescer.ts";
import type { HistoryCommit } from "../delivery/history.ts";
import { TAGS, tagNames } from "../delivery/refs.ts";
import type { Sha } from "../delivery/types.ts";
import type { CloneSource } from "../hosts/host.ts";
import { checkPath, checkRef, checkSha, isRef, toPathspec } from "./arguments.ts";
import { ensureBareRepository, removeGitLeftovers, removeLocks } from "./bare-repository.ts";
import { type MirrorCommit, parseCommit } from "./commit.ts";
import { type CommitsByRef, readCommitsByRef } from "./commits-by-ref.ts";
import { noteUse } from "./disk-usage.ts";
import { commitGone, readEntry, readText } from "./entry.ts";
import { type GitCall, GitFailed, gitText, runGit, streamGit } from "./git.ts";
import { readHistory } from "./history.ts";
import { linesOf } from "./lines.ts";
import { readRefs } from "./local-refs.ts";
import { ObjectReader } from "./object-reader.ts";
import { PromiseCache } from "./promise-cache.ts";
import type { QuickRefs } from "./quick-refs.ts";
import { listRemoteRefs, type Refs, syncRepository } from "./sync.ts";
import { parseTreeListing, type TreeEntry } from "./tree.ts";

/** Commits, pipeline files and Dockerfiles. Each inspection of a commit reads the same ones, mostly twice. */
const MAX_CACHED = 64;
const MAX_CACHED_ORDERS = 4;
/** A fetch adds few objects, so git need not check for clean-up after each one. */
const FETCHES_PER_TIDY = 10;
/** An artifact that no commit has changed for this long is built again, and then has a newer release. */
const MAX_HISTORY_COMMITS = 2_000;

/** Both in ms: for one fetch, and for one question to a mirror. */
export interface MirrorOptions {
  fetchLimit?: number;
  readLimit?: number;
}

/**
 * Our copy of one repo: branches and tags, but never `refs/pull`, so that it contains no commit of a fork. Shas and
 * refs are checked before git sees them. @throws UserError("bad-sha" | "bad-ref" | "bad-path")
 */
export class Mirror {
  readonly path: string;
  readonly #closing: AbortSignal;
  readonly #quickRefs: QuickRefs;
  readonly #readLimit: number;
  readonly #syncs: Coalescer<{ source: CloneSource; expected: Sha | null }, Refs>;
  /** Done once, before any git of this process writes here. So every lock was left by a killed git. */
  #repaired: Promise<void> | null = null;
  /** The result of the last sync: only a sync changes refs. Null while one runs, and if it failed. */
  #latest: { refs: Refs; at: number } | null = null;
  #moves = 0;
  readonly #objects: ObjectReader;
  /** The content of a sha never changes. */
  readonly #commits = new PromiseCache<MirrorCommit>(MAX_CACHED);
  readonly #texts = new PromiseCache<string | null>(MAX_CACHED);
  readonly #orders = new PromiseCache<CommitsByRef>(MAX_CACHED_ORDERS);
  /** Valid until a ref moves. */
  #holders = new PromiseCache<string[]>(MAX_CACHED);

  constructor(path: string, closing: AbortSignal, quickRefs: QuickRefs, options: MirrorOptions) {
    this.path = path;
    this.#closing = closing;
    this.#quickRefs = quickRefs;
    this.#objects = new ObjectReader(() => this.#call());
    this.#readLimit = options.readLimit ?? 60_000;
    const fetchLimit = options.fetchLimit ?? 30 * 60_000;
    this.#syncs = new Coalescer(
      async ({ source, expected }, signal) => {
        await this.#prepare();
        const known = this.#latest?.refs ?? null;
        this.#latest = null;
        const at = performance.now();
        const hasNews = expected !== null && (await this.#lacks(expected, known));
        const call = { signals: [signal, closing], timeLimit: fetchLimit, quickRefs };
        const refs = await syncRepository(path, source, call, known, hasNews);
        if (refs.moved || known === null) this.#holders = new PromiseCache(MAX_CACHED);
        this.#latest = { refs, at };
        return refs;
      },
      async ({ moved }) => {
        await noteUse(path);
        if (moved && this.#moves++ % FETCHES_PER_TIDY === 0) await this.#tidy();
      },
    );
  }

  /**
   * Brings branches, tags and the default branch up to date. Calls made during a fetch share the next fetch.
   * @param expected a commit that a webhook named
   * @throws TransientError("git-host-unreachable" | "git-host-error" | "git-host-limited" | "git-timeout"),
   * Refused("git-access-denied" | "git-redirected"), UserError("bad-clone-url"), the signal's reason.
   */
  sync(source: CloneSource, signal: AbortSignal, expected: Sha | null = null): Promise<Refs> {
    return this.#syncs.call({ source, expected }, signal);
  }

  /** The result of the last sync, if it started less than `age` ms ago. Otherwise null. */
  latest(age: number): Refs | null {
    return this.#latest !== null && performance.now() - this.#latest.at < age ? this.#latest.refs : null;
  }

  /**
   * Branches and tags by full ref, as the host lists them now; an annotated tag is a tag object. Fetches nothing:
   * polling a repo costs one request. @throws as `sync`
   */
  async remoteRefs(source: CloneSource, signal: AbortSignal): Promise<Map<string, Sha>> {
    const limits = { signals: [signal, this.#closing], timeLimit: this.#readLimit };
    return (await listRemoteRefs(source, { ...limits, quickRefs: this.#quickRefs })).raw;
  }

  /** Branches and tags by full ref as of the last sync, with annotated tags as the commits that they point to. */
  async refs(): Promise<Map<string, Sha>> {
    return this.#latest?.refs.commits ?? (await readRefs(await this.#call())).commits;
  }

  /** The full refs that contain the commit. Empty: the mirror does not have it, or not any more. */
  refsContaining(sha: Sha): Promise<string[]> {
    return this.#holders.get(sha, () => this.#refsContaining(sha));
  }

  async #refsContaining(sha: Sha): Promise<string[]> {
    const contains = `--contains=${checkSha(sha)}`;
    const text = await this.#text(["for-each-ref", contains, "--format=%(refname)", "refs/heads", "refs/tags"]).catch(
      (error: unknown) => this.#unlessGone(sha, error),
    );
    return text === null ? [] : linesOf(text).filter(isRef);
  }

  /** Whether the mirror has the commit. It still has a commit for a while after a forced push: see `refsContaining`. */
  async has(sha: Sha): Promise<boolean> {
    return (await this.#objects.head(`${checkSha(sha)}^{commit}`)) !== null;
  }

  /** @throws UserError("commit-gone"). */
  commit(sha: Sha): Promise<MirrorCommit> {
    return this.#commits.get(sha, () => this.#readCommit(sha));
  }

  async #readCommit(sha: Sha): Promise<MirrorCommit> {
    const found = await this.#objects.read(checkSha(sha));
    // An annotated tag has an id too, but is no commit.
    if (found?.type !== "commit") throw commitGone(sha);
    return parseCommit(sha, found.bytes);
  }

  /**
   * The text of a regular file at that commit, as UTF-8. Null: there is none.
   * @throws UserError("path-not-a-file" | "file-too-large")
   */
  readFile(sha: Sha, path: string, maxBytes: number): Promise<string | null> {
    return this.#texts.get(`${sha} ${maxBytes} ${path}`, () => readText(this.#objects, sha, path, maxBytes));
  }

  /** The entry at a path. Null: there is none. Symbolic links are not followed. The root is a directory. */
  entry(sha: Sha, path: string): Promise<TreeEntry | null> {
    return readEntry(this.#objects, sha, path);
  }

  /** The whole tree, every directory before its contents. */
  async *tree(sha: Sha, signal: AbortSignal): AsyncGenerator<[path: string, entry: TreeEntry]> {
    const call = await this.#call(signal);
    yield* parseTreeListing(streamGit(["ls-tree", "-r", "-t", "-z", "-l", "--full-tree", checkSha(sha)], call));
  }

  /**
   * The tree, or one folder of it with full paths, as a tar: what a checkout on Linux contains, owned by root, with the
   * commit's time.
   */
  async archive(sha: Sha, folder: string, signal: AbortSignal, timeLimit: number): Promise<Readable> {
    const call = { ...(await this.#call(signal)), timeLimit };
    const plain = checkPath(folder);
    return streamGit(["archive", "--format=tar", checkSha(sha), ...(plain === "" ? [] : ["--", plain])], call);
  }

  /** Short names of the tags that point to the commit. */
  async tagsOn(sha: Sha): Promise<string[]> {
    checkSha(sha);
    const refs = await this.refs();
    return tagNames([...refs].filter(([, at]) => at === sha).map(([ref]) => ref));
  }

  /** Short names of the tags that point to the commit or one before it. */
  async tagsReachable(sha: Sha): Promise<string[]> {
    const names = [...(await this.refs()).keys()];
    if (!names.some((ref) => ref.startsWith(TAGS)) || !(await this.has(sha))) return [];
    return tagNames(linesOf(await this.#text(["for-each-ref", `--merged=${sha}`, "--format=%(refname)", "refs/tags"])));
  }

  /** `git rev-list --count <tag>..<sha>`. @param fromTag short name. Null: counted from the first commit */
  async count(fromTag: string | null, sha: Sha): Promise<number> {
    const without = fromTag === null ? [] : [`^${checkRef(TAGS + fromTag)}`];
    return Number(await this.#text(["rev-list", "--count", "--end-of-options", checkSha(sha), ...without]));
  }

  /** For each full ref, those of the commits that it contains, in order. One walk over the history finds them all. */
  async commitsByRef(refs: string[], among: ReadonlySet<Sha>): Promise<CommitsByRef> {
    const known = await this.refs();
    const tips = new Map(refs.flatMap((ref) => tipOf(checkRef(ref), known.get(ref))));
    const key = createHash("sha256")
      .update(JSON.stringify([[...tips], [...among].sort()]))
      .digest("hex");
    return this.#orders.get(key, async () => {
      if (tips.size === 0 || among.size === 0) return new Map();
      const stdin = [...new Set(tips.values())].map((sha) => `${sha}\n`).join("");
      const call = { ...(await this.#call()), stdin };
      return readCommitsByRef(tips, among, streamGit(["rev-list", "--date-order", "--parents", "--stdin"], call));
    });
  }

  /**
   * A commit and the commits before it, up to a limit, and whether anything under the globs differs from each parent.
   * Globs are git's: `*` within a folder, `**` across folders, a folder means all in it, a leading `!` excludes.
   * Empty: the commit is gone. @throws UserError("bad-glob")
   */
  async history(sha: Sha, globs: string[]): Promise<Map<Sha, HistoryCommit>> {
    const paths = globs.map(toPathspec);
    return (await this.has(sha)) ? readHistory(sha, paths, MAX_HISTORY_COMMITS, await this.#call()) : new Map();
  }

  /**
   * Whether `ancestor` is in the history of `descendant`. A commit is its own ancestor. False if one of them is gone.
   */
  async isAncestor(ancestor: Sha, descendant: Sha): Promise<boolean> {
    return this.#holds(
      ["merge-base", "--is-ancestor", "--end-of-options", checkSha(ancestor), checkSha(descendant)],
      [0, 1, 128],
    );
  }

  /** The commits that a head contains and no known commit does, newest first. Commits that are gone are ignored. */
  async newCommits(known: Sha[], heads: Sha[]): Promise<Sha[]> {
    if (heads.length === 0) return [];
    const stdin = [...heads.map(checkSha), ...known.map((sha) => `^${checkSha(sha)}`)]
      .map((line) => `${line}\n`)
      .join("");
    const call = { ...(await this.#call()), stdin };
    return linesOf(await gitText(["rev-list", "--date-order", "--ignore-missing", "--stdin"], call));
  }

  /** Checked only after a failure, since the commit is nearly always there. */
  async #unlessGone(sha: Sha, error: unknown): Promise<null> {
    if (error instanceof GitFailed && !(await this.has(sha))) return null;
    throw error;
  }

  async #text(args: string[]): Promise<string> {
    return gitText(args, await this.#call());
  }

  /** Asks a question whose answer is the exit code: 0 is yes. */
  async #holds(args: string[], answers: number[]): Promise<boolean> {
    const { exitCode } = await runGit(args, { ...(await this.#call()), answers });
    return exitCode === 0;
  }

  async #call(signal?: AbortSignal): Promise<GitCall> {
    await this.#prepare();
    return {
      gitDir: this.path,
      signals: signal ? [signal, this.#closing] : [this.#closing],
      timeLimit: this.#readLimit,
    };
  }

  /** Whether the mirror probably lacks a commit. Starting git to be certain would take a good part of a fetch. */
  async #lacks(sha: Sha, known: Refs | null): Promise<boolean> {
    if (this.#objects.isOpen) return !(await this.has(sha));
    // Starts git, which is asked for the commit's files next.
    this.has(sha).catch(() => {});
    return known === null || ![...known.commits.values()].includes(sha);
  }

  /** A mirror is a cache and may be deleted at any time. */
  async #prepare(): Promise<void> {
    this.#repaired ??= removeGitLeftovers(this.path);
    await this.#repaired;
    const stood = await ensureBareRepository(this.path, "sha1", {
      signals: [this.#closing],
      timeLimit: this.#readLimit,
    });
    if (stood) return;
    this.#latest = null;
    this.#holders = new PromiseCache(MAX_CACHED);
  }

  /** Without clean-up a mirror is slower, not wrong. If it fails, a later fetch tries again. */
  async #tidy(): Promise<void> {
    const call = { gitDir: this.path, signals: [this.#closing], timeLimit: 30 * 60_000 };
    try {
      await runGit(["maintenance", "run", "--auto", "--quiet"], call);
    } catch {
      await removeLocks(this.path).catch(() => {});
    }
  }
}

const tipOf = (ref: string, sha: Sha | undefined): [string, Sha][] => (sha === undefined ? [] : [[ref, sha]]);
