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

export type { MirrorCommit } from "./commit.ts";

/** Commits, and pipeline files and Dockerfiles of commits: each look at a commit asks for the same ones. */
const KEPT = 64;
/** Two looks at the names of a repo's artifacts mostly follow each other, and nothing moved between them. */
const PLACES_KEPT = 4;
/** git itself asks for it from thousands of loose objects or fifty packs on, and a fetch adds a few: not each needs a process that looks. */
const TIDY_EVERY = 10;
/** Whose paths nothing touched for so many commits is built once more, and has a release from which to go on. */
const PAST_READ = 2_000;

export interface MirrorOptions {
  /** ms for one fetch. */
  fetchLimit?: number;
  /** ms for one question to a mirror. */
  readLimit?: number;
}

/**
 * What we know of one repo: branches and tags, never `refs/pull`, so that a commit of a fork is not among them. Shas and refs are checked
 * before git sees them: what is malformed throws UserError("bad-sha" | "bad-ref" | "bad-path").
 */
export class Mirror {
  readonly path: string;
  readonly #closing: AbortSignal;
  readonly #quickRefs: QuickRefs;
  readonly #readLimit: number;
  readonly #syncs: Coalescer<{ source: CloneSource; expected: Sha | null }, Refs>;
  /** Once a process, before any git of it writes here: so what looks like a lock is what a killed one left. */
  #repaired: Promise<void> | null = null;
  /** What the last sync found: nobody but a sync moves refs here. Null while one runs, and where it failed. */
  #latest: { refs: Refs; at: number } | null = null;

  #moves = 0;
  readonly #objects: ObjectReader;
  /** What a sha says can never change. */
  readonly #commits = new PromiseCache<MirrorCommit>(KEPT);
  readonly #texts = new PromiseCache<string | null>(KEPT);
  readonly #places = new PromiseCache<CommitsByRef>(PLACES_KEPT);
  /** The same for as long as no ref moves. */
  #holders = new PromiseCache<string[]>(KEPT);

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
        if (refs.moved || known === null) this.#holders = new PromiseCache(KEPT);
        this.#latest = { refs, at };
        return refs;
      },
      async ({ moved }) => {
        await noteUse(path);
        if (moved && this.#moves++ % TIDY_EVERY === 0) await this.#tidy();
      },
    );
  }

  /**
   * Brings branches, tags and the default branch to what the host has. Calls made while a fetch runs share the next one.
   * @param expected a commit that the host has told of
   * @throws TransientError("git-host-unreachable" | "git-host-error" | "git-host-limited" | "git-timeout"),
   * Refused("git-access-denied" | "git-redirected"), UserError("bad-clone-url"), the signal's reason.
   */
  sync(source: CloneSource, signal: AbortSignal, expected: Sha | null = null): Promise<Refs> {
    return this.#syncs.call({ source, expected }, signal);
  }

  /** What the last sync found, if it began less than `age` ms ago; else null. */
  latest(age: number): Refs | null {
    return this.#latest !== null && performance.now() - this.#latest.at < age ? this.#latest.refs : null;
  }

  /**
   * Branches and tags by full ref as the host lists them now, annotated tags as the tag object. Fetches nothing, so that a
   * repo that nobody asked for costs one question. @throws as `sync` does.
   */
  remoteRefs(source: CloneSource, signal: AbortSignal): Promise<Map<string, Sha>> {
    const signals = [signal, this.#closing];
    return listRemoteRefs(source, { signals, timeLimit: this.#readLimit, quickRefs: this.#quickRefs });
  }

  /** Branches and tags by full ref, annotated tags as the commit they lead to; as of the last sync. */
  async refs(): Promise<Map<string, Sha>> {
    return this.#latest?.refs.commits ?? (await readRefs(await this.#call())).commits;
  }

  /** The full refs whose history holds the commit. Empty where it is gone, or was never there. */
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

  /** Whether the mirror holds the commit. One that a force-push removed is held for a while yet: `refsContaining` tells. */
  async has(sha: Sha): Promise<boolean> {
    return (await this.#objects.head(`${checkSha(sha)}^{commit}`)) !== null;
  }

  /** @throws UserError("commit-gone"). */
  commit(sha: Sha): Promise<MirrorCommit> {
    return this.#commits.get(sha, () => this.#readCommit(sha));
  }

  async #readCommit(sha: Sha): Promise<MirrorCommit> {
    const found = await this.#objects.read(checkSha(sha));
    // An annotated tag has an id too, and leads to a commit of another.
    if (found?.type !== "commit") throw commitGone(sha);
    return parseCommit(sha, found.bytes);
  }

  /**
   * A regular file's text at that commit, as UTF-8; null where there is none.
   * @throws UserError("path-not-a-file" | "file-too-large"), naming the path.
   */
  readFile(sha: Sha, path: string, maxBytes: number): Promise<string | null> {
    return this.#texts.get(`${sha} ${maxBytes} ${path}`, () => readText(this.#objects, sha, path, maxBytes));
  }

  /** What stands under a path, symbolic links on the way not followed; null: nothing. The root is a directory. */
  entry(sha: Sha, path: string): Promise<TreeEntry | null> {
    return readEntry(this.#objects, sha, path);
  }

  /** The whole tree, every directory before what it holds. */
  async *tree(sha: Sha, signal: AbortSignal): AsyncGenerator<[path: string, entry: TreeEntry]> {
    const call = await this.#call(signal);
    yield* parseTreeListing(streamGit(["ls-tree", "-r", "-t", "-z", "-l", "--full-tree", checkSha(sha)], call));
  }

  /** The tree (or one folder of it, under its full path) as a tar: what a checkout on Linux holds, owned by root, dated by the commit. */
  async archive(sha: Sha, folder: string, signal: AbortSignal, timeLimit: number): Promise<Readable> {
    const call = { ...(await this.#call(signal)), timeLimit };
    const plain = checkPath(folder);
    return streamGit(["archive", "--format=tar", checkSha(sha), ...(plain === "" ? [] : ["--", plain])], call);
  }

  /** Short names of the tags on exactly that commit. */
  async tagsOn(sha: Sha): Promise<string[]> {
    checkSha(sha);
    const refs = await this.refs();
    return tagNames([...refs].filter(([, at]) => at === sha).map(([ref]) => ref));
  }

  /** Short names of the tags on that commit or one before it. */
  async tagsReachable(sha: Sha): Promise<string[]> {
    const names = [...(await this.refs()).keys()];
    if (!names.some((ref) => ref.startsWith(TAGS)) || !(await this.has(sha))) return [];
    return tagNames(linesOf(await this.#text(["for-each-ref", `--merged=${sha}`, "--format=%(refname)", "refs/tags"])));
  }

  /** How many commits lead from the tag (short name; null: from the first commit on) to the sha: `git rev-list --count <tag>..<sha>`. */
  async count(fromTag: string | null, sha: Sha): Promise<number> {
    const without = fromTag === null ? [] : [`^${checkRef(TAGS + fromTag)}`];
    return Number(await this.#text(["rev-list", "--count", "--end-of-options", checkSha(sha), ...without]));
  }

  /** Where the commits stand on each of the refs (full; one that is gone holds none), by one walk over their history. */
  async commitsByRef(refs: string[], among: ReadonlySet<Sha>): Promise<CommitsByRef> {
    const known = await this.refs();
    const tips = new Map(refs.flatMap((ref) => [[checkRef(ref), known.get(ref) ?? null] as const]).filter(isTip));
    const key = createHash("sha256")
      .update(JSON.stringify([[...tips], [...among].sort()]))
      .digest("hex");
    return this.#places.get(key, async () => {
      if (tips.size === 0 || among.size === 0) return new Map();
      const stdin = [...new Set(tips.values())].map((sha) => `${sha}\n`).join("");
      const call = { ...(await this.#call()), stdin };
      return readCommitsByRef(tips, among, streamGit(["rev-list", "--date-order", "--parents", "--stdin"], call));
    });
  }

  /**
   * A commit and what came before it, as far as it is read, with what differs under the globs from each parent; a glob is git's own (`*` within a
   * folder, `**` across, a folder means all in it, a leading `!` leaves out). Empty where the commit is gone. @throws UserError("bad-glob").
   */
  async history(sha: Sha, globs: string[]): Promise<Map<Sha, HistoryCommit>> {
    const paths = globs.map(toPathspec);
    return (await this.has(sha)) ? readHistory(sha, paths, PAST_READ, await this.#call()) : new Map();
  }

  /** Whether `descendant`'s history holds `ancestor`; a commit is its own ancestor. False where one is gone. */
  async isAncestor(ancestor: Sha, descendant: Sha): Promise<boolean> {
    return this.#holds(
      ["merge-base", "--is-ancestor", "--end-of-options", checkSha(ancestor), checkSha(descendant)],
      [0, 1, 128],
    );
  }

  /** The commits that the heads hold and no known one does, newest first. Those that are gone count on neither side. */
  async newCommits(known: Sha[], heads: Sha[]): Promise<Sha[]> {
    if (heads.length === 0) return [];
    const stdin = [...heads.map(checkSha), ...known.map((sha) => `^${checkSha(sha)}`)]
      .map((line) => `${line}\n`)
      .join("");
    const call = { ...(await this.#call()), stdin };
    return linesOf(await gitText(["rev-list", "--date-order", "--ignore-missing", "--stdin"], call));
  }

  /** Asked only after a failure: nearly always the commit is there, and a process each time would be for nothing. */
  async #unlessGone(sha: Sha, error: unknown): Promise<null> {
    if (error instanceof GitFailed && !(await this.has(sha))) return null;
    throw error;
  }

  async #text(args: string[]): Promise<string> {
    return gitText(args, await this.#call());
  }

  /** A question whose answer is the exit code: 0 is yes. */
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

  /** Whether the mirror most likely lacks a commit: a git that has to be started would take a good part of a fetch to say so. */
  async #lacks(sha: Sha, known: Refs | null): Promise<boolean> {
    if (this.#objects.isOpen) return !(await this.has(sha));
    // It is asked for the commit's files next.
    this.has(sha).catch(() => {});
    return known === null || ![...known.commits.values()].includes(sha);
  }

  /** A mirror is a cache, and may be deleted at any time. */
  async #prepare(): Promise<void> {
    this.#repaired ??= removeGitLeftovers(this.path);
    await this.#repaired;
    const stood = await ensureBareRepository(this.path, "sha1", {
      signals: [this.#closing],
      timeLimit: this.#readLimit,
    });
    if (stood) return;
    this.#latest = null;
    this.#holders = new PromiseCache(KEPT);
  }

  /** An untidy mirror is slower, not wrong: where this fails, the next fetch brings it about again. */
  async #tidy(): Promise<void> {
    const call = { gitDir: this.path, signals: [this.#closing], timeLimit: 30 * 60_000 };
    try {
      await runGit(["maintenance", "run", "--auto", "--quiet"], call);
    } catch {
      await removeLocks(this.path).catch(() => {});
    }
  }
}

function isTip(entry: readonly [string, Sha | null]): entry is [string, Sha] {
  return entry[1] !== null;
}
