import { finished, type Readable } from "node:stream";
import { TransientError, UserError } from "../delivery/errors.ts";
import type { Sha } from "../delivery/types.ts";
import type { Run } from "../run/run.ts";
import { checkPath } from "./arguments.ts";
import { Dockerignore } from "./dockerignore.ts";
import { GitFailed } from "./git.ts";
import type { Mirror } from "./mirror.ts";
import { findPlaceholders, reportPlaceholders } from "./placeholders.ts";
import { filterTar, limitBytes } from "./tar.ts";
import { type BuildPaths, pathsUpTo, readTree, requireBuildPaths, type TreeEntry } from "./tree.ts";

export interface ContextOrder extends BuildPaths {
  /** Limit for the tar that is sent, in bytes. */
  maxBytes: number;
  /** Limit for the entries of the commit's tree, whether they are sent or not. */
  maxEntries: number;
  /** Whether pointers of Git LFS end the build. Left out: the log names them. */
  refusesLfs?: boolean;
}

const MAX_IGNORE_FILE_BYTES = 64 * 1024;
const ARCHIVE_TIMEOUT_MS = 30 * 60_000;

/**
 * Checks before a build that the context is a folder and the Dockerfile a regular file.
 * @throws UserError("dockerfile-missing" | "context-missing" | "path-is-a-symlink" | "bad-path")
 */
export async function checkBuildPaths(mirror: Mirror, sha: Sha, paths: BuildPaths): Promise<void> {
  const entries = new Map<string, TreeEntry>();
  for (const path of [paths.contextDir, paths.dockerfile ?? "."].flatMap((path) => pathsUpTo(checkPath(path)))) {
    const entry = await mirror.entry(sha, path);
    if (entry !== null) entries.set(path, entry);
  }
  requireBuildPaths(entries, sha, paths);
}

/**
 * Whether the Dockerfile is outside the context or `.dockerignore` leaves it out.
 * @throws UserError("dockerignore-pattern")
 */
export async function isDockerfileOutside(mirror: Mirror, sha: Sha, paths: BuildPaths): Promise<boolean> {
  const base = baseOf(paths.contextDir);
  const dockerfile = checkPath(paths.dockerfile ?? ".");
  if (!dockerfile.startsWith(base)) return true;
  for (const file of ignoreFiles(dockerfile, base)) {
    const text = await mirror.readFile(sha, file, MAX_IGNORE_FILE_BYTES);
    if (text === null) continue;
    const ignore = new Dockerignore(text, file);
    const inside = dockerfile.slice(base.length);
    return pathsUpTo(inside).reduce((_, path) => ignore.ignores(path, path !== inside), false);
  }
  return false;
}

/** The first one that exists is used. BuildKit looks beside the Dockerfile first. */
function ignoreFiles(dockerfile: string, base: string): [beside: string, ofContext: string] {
  return [`${dockerfile}.dockerignore`, `${base}.dockerignore`];
}

function baseOf(contextDir: string): string {
  const folder = checkPath(contextDir);
  return folder === "" ? "" : `${folder}/`;
}

/**
 * Streams the commit's tree under the context as a tar, with `.dockerignore` applied (or `<Dockerfile>.dockerignore`,
 * which comes first as in BuildKit). The Dockerfile is in it only if it is part of the context. Nothing is written to
 * disk. If anything goes wrong, the stream breaks: a stream that ends is complete. A submodule is an empty folder; a
 * symbolic link stays one.
 * @throws what checkTree throws, and UserError("context-too-large" | "context-too-many-entries" | "context-bad-name" |
 *   "dockerignore-pattern" | "lfs-pointers").
 * The stream breaks with TransientError("context-broken"), UserError("context-too-large") or the run's reason to abort.
 */
export async function openContext(mirror: Mirror, sha: Sha, order: ContextOrder, run: Run): Promise<Readable> {
  // Started while the tree is still being read: in most cases nothing is left out.
  const archive = await mirror.archive(sha, order.contextDir, run.signal, ARCHIVE_TIMEOUT_MS);
  // If git fails before anybody reads, the reader gets the error later.
  archive.on("error", () => {});
  try {
    return await choosing(mirror, sha, order, archive, run);
  } catch (error) {
    archive.destroy();
    throw error;
  }
}

async function choosing(mirror: Mirror, sha: Sha, order: ContextOrder, archive: Readable, run: Run): Promise<Readable> {
  const tree = await readTree(mirror.tree(sha, run.signal), sha, order.maxEntries);
  requireBuildPaths(tree, sha, order);
  const base = baseOf(order.contextDir);
  const entries = new Map([...tree].filter(([path]) => path.startsWith(base)));
  const dockerfile = order.dockerfile === null ? null : checkPath(order.dockerfile);
  const sent = await choose(mirror, sha, { tree, entries, base, dockerfile }, run.signal);

  const bytes = [...sent].reduce((sum, path) => sum + bytesInTar(entries.get(path)), 0);
  if (bytes > order.maxBytes) throw tooLarge(sha, order.maxBytes, bytes, biggest(entries, sent));
  // If everything is sent, git's own bytes are passed on: filtering them costs half as much again.
  const isUnchanged = base === "" && sent.size === entries.size;
  reportPlaceholders(await findPlaceholders(mirror, sha, tree, sent), order.refusesLfs ?? false, run.log);
  run.log.line(`Context: ${sent.size} of ${entries.size} entries, ${(bytes / 1e6).toFixed(1)} MB.`);

  return guarded(isUnchanged ? archive : filterTar(archive, base, sent), sha, order.maxBytes);
}

interface Choice {
  tree: Map<string, TreeEntry>;
  /** The entries of the tree that are in the context. */
  entries: Map<string, TreeEntry>;
  base: string;
  dockerfile: string | null;
}

/** The paths to send: all that is not ignored, and the folders above it. */
async function choose(mirror: Mirror, sha: Sha, choice: Choice, signal: AbortSignal): Promise<Set<string>> {
  const { tree, entries, base, dockerfile } = choice;
  if (dockerfile === null) return new Set(entries.keys());
  const ignoreFile = ignoreFiles(dockerfile, base).find((path) => tree.has(path));
  if (ignoreFile === undefined) return new Set(entries.keys());
  const text = await mirror.readFile(sha, ignoreFile, MAX_IGNORE_FILE_BYTES);
  const ignore = new Dockerignore(text ?? "", ignoreFile);

  const sent = new Set<string>();
  const pause = pauses(signal);
  for (const [path, entry] of entries) {
    await pause();
    if (!ignore.ignores(path.slice(base.length), entry.kind === "directory"))
      for (const one of pathsUpTo(path)) if (one.startsWith(base)) sent.add(one);
  }
  return sent;
}

/** Gives way to other work: a hostile ignore file takes long on a large tree, and must not block the process. */
function pauses(signal: AbortSignal): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < 20) return undefined;
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        since = performance.now();
        if (signal.aborted) reject(signal.reason);
        else resolve();
      });
    });
  };
}

/**
 * Passes the tar on with a limit, since conversions of a checkout may make files larger than the tree says, and with
 * errors that people understand.
 */
function guarded(tar: Readable, sha: Sha, maxBytes: number): Readable {
  const out = limitBytes(maxBytes, () => tooLarge(sha, maxBytes, null, null));
  finished(tar, (error) => {
    if (!error) return;
    const broken = new TransientError(
      "context-broken",
      `The build context of ${sha} could not be read to its end: ${error.message}`,
      { cause: error },
    );
    out.destroy(error instanceof GitFailed ? broken : error);
  });
  out.once("close", () => tar.destroy());
  return tar.pipe(out);
}

/** A header of 512 bytes, and the content in blocks of 512 bytes. */
function bytesInTar(entry: TreeEntry | undefined): number {
  return entry === undefined || entry.kind !== "regular file" ? 512 : 512 + Math.ceil(entry.size / 512) * 512;
}

function biggest(entries: Map<string, TreeEntry>, sent: Set<string>): string | null {
  const sizes = [...sent].map((path): [string, number] => [path, entries.get(path)?.size ?? 0]);
  const [first] = sizes.sort((one, other) => other[1] - one[1]);
  return first ? `${first[0]} (${first[1]} bytes)` : null;
}

function tooLarge(sha: Sha, max: number, bytes: number | null, file: string | null): UserError {
  const size = bytes === null ? "more" : `${bytes} bytes`;
  const hint = file === null ? "" : ` The largest file is ${file}.`;
  return new UserError(
    "context-too-large",
    `The build context of ${sha} has ${size}, and at most ${max} are allowed.${hint} ` +
      "Exclude what the build does not need in .dockerignore.",
  );
}
