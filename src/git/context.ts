import { finished, type Readable } from "node:stream";
import { TransientError, UserError } from "../delivery/errors.ts";
import type { Sha } from "../delivery/types.ts";
import type { Run } from "../run/run.ts";
import { checkPath } from "./arguments.ts";
import { Dockerignore } from "./dockerignore.ts";
import { GitFailed } from "./git.ts";
import type { Mirror } from "./mirror.ts";
import { filterTar, limitBytes } from "./tar.ts";
import { type BuildPaths, pathsUpTo, readTree, requireBuildPaths, type TreeEntry } from "./tree.ts";

export interface ContextOrder extends BuildPaths {
  /** Bytes of the tar that is sent. */
  maxBytes: number;
  /** Entries of the commit's tree, sent or not. */
  maxEntries: number;
}

const IGNORE_FILE_MAX = 64 * 1024;
const ARCHIVE_LIMIT = 30 * 60_000;

/**
 * The early look, before anything is built: the context is a folder, and the Dockerfile a regular file.
 * @throws UserError("dockerfile-missing" | "context-missing" | "path-is-a-symlink" | "bad-path"), naming path and sha.
 */
export async function checkBuildPaths(mirror: Mirror, sha: Sha, paths: BuildPaths): Promise<void> {
  const entries = new Map<string, TreeEntry>();
  for (const path of [paths.contextDir, paths.dockerfile ?? "."].flatMap((path) => pathsUpTo(checkPath(path)))) {
    const entry = await mirror.entry(sha, path);
    if (entry !== null) entries.set(path, entry);
  }
  requireBuildPaths(entries, sha, paths);
}

/** Whether the Dockerfile lies outside of the context, or is left out of it. @throws UserError("dockerignore-pattern") */
export async function isDockerfileOutside(mirror: Mirror, sha: Sha, paths: BuildPaths): Promise<boolean> {
  const base = baseOf(paths.contextDir);
  const dockerfile = checkPath(paths.dockerfile ?? ".");
  if (!dockerfile.startsWith(base)) return true;
  for (const file of ignoreFiles(dockerfile, base)) {
    const text = await mirror.readFile(sha, file, IGNORE_FILE_MAX);
    if (text === null) continue;
    const ignore = new Dockerignore(text, file);
    const inside = dockerfile.slice(base.length);
    return pathsUpTo(inside).reduce((_, path) => ignore.ignores(path, path !== inside), false);
  }
  return false;
}

/** The first one that is there holds: BuildKit looks beside the Dockerfile first. */
function ignoreFiles(dockerfile: string, base: string): [beside: string, ofContext: string] {
  return [`${dockerfile}.dockerignore`, `${base}.dockerignore`];
}

function baseOf(contextDir: string): string {
  const folder = checkPath(contextDir);
  return folder === "" ? "" : `${folder}/`;
}

/**
 * The commit's tree under the context as a tar stream, `.dockerignore` applied (`<Dockerfile>.dockerignore` goes before it, as in BuildKit):
 * what an image may hold, and the Dockerfile only where it is part of that. Nothing is written to disk. The stream breaks where anything goes wrong: one that
 * ends is whole. A submodule is an empty folder, a symbolic link stays one.
 * @throws what checkTree throws, and UserError("context-too-large" | "context-too-many-entries" | "context-bad-name" | "dockerignore-pattern").
 * The stream breaks with TransientError("context-broken"), UserError("context-too-large") or the run's reason to abort.
 */
export async function openContext(mirror: Mirror, sha: Sha, order: ContextOrder, run: Run): Promise<Readable> {
  // Begun beside the look at the tree, which mostly finds nothing to leave out.
  const archive = await mirror.archive(sha, order.contextDir, run.signal, ARCHIVE_LIMIT);
  // Where git breaks off before anybody reads, whoever reads hears of it then.
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
  // Where all is sent, git's own bytes go out: packing them anew costs half as much again.
  const asItIs = base === "" && sent.size === entries.size;
  run.log.line(`Context: ${sent.size} of ${entries.size} entries, ${(bytes / 1e6).toFixed(1)} MB.`);

  return guarded(asItIs ? archive : filterTar(archive, base, sent), sha, order.maxBytes);
}

interface Choice {
  tree: Map<string, TreeEntry>;
  /** Those of the tree that are in the context. */
  entries: Map<string, TreeEntry>;
  base: string;
  dockerfile: string | null;
}

/** The paths that are sent: what is not ignored, and the folders above it. */
async function choose(mirror: Mirror, sha: Sha, choice: Choice, signal: AbortSignal): Promise<Set<string>> {
  const { tree, entries, base, dockerfile } = choice;
  if (dockerfile === null) return new Set(entries.keys());
  const ignoreFile = ignoreFiles(dockerfile, base).find((path) => tree.has(path));
  if (ignoreFile === undefined) return new Set(entries.keys());
  const text = await mirror.readFile(sha, ignoreFile, IGNORE_FILE_MAX);
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

/** Lets others have their turn: a hostile ignore file on a large tree takes long, and must not hold up the process. */
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

/** What leaves the mirror: capped, since a checkout's conversions may make files larger than the tree says, and with errors a person understands. */
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

/** A header of 512 bytes, and the content in blocks of as many. */
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
    `The build context of ${sha} has ${size}, where ${max} are allowed.${hint} Leave out what the build does not need with .dockerignore.`,
  );
}
