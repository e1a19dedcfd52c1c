import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { lstat, mkdir, mkdtemp, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import type { Release } from "../delivery/types.ts";
import { digestOfFiles } from "../store/files.ts";
import { ask, askJson, type ClientOptions } from "./client.ts";
import { EXIT, Failure } from "./exit.ts";
import { verifiedLayout } from "./layout.ts";
import { progress } from "./progress.ts";

export interface PullOrder {
  artifact: string;
  version: string;
  /** Where to put it; made where it is not there. */
  output: string;
  repo?: string | undefined;
  /** The key of the registry to take it from; left out: whichever has it. */
  from?: string | undefined;
}

export interface Pulled {
  /** The file; the folder, where there are several. */
  file: string;
  files: string[];
  digest: string;
  version: string;
}

/** How often a broken transfer goes on where it broke off. */
const RESUMES = 5;

/**
 * Fetches a release through the server and holds it to the release's digest. Nothing has its name before all of it is
 * proven, and where it is not, nothing is left behind. @throws Failure
 */
export async function pull(options: ClientOptions, order: PullOrder): Promise<Pulled> {
  const query = order.repo === undefined ? "" : `?${new URLSearchParams({ repo: order.repo })}`;
  const release = await askJson<Release>(options, `${pathOf(order.artifact, order.version)}${query}`);
  const from = order.from === undefined ? {} : { registry: order.from };
  const content = `${pathOf(order.artifact, release.version)}/content?${new URLSearchParams({ repo: release.repo, ...from })}`;
  const first = await ask(options, content);
  const made = await mkdir(order.output, { recursive: true });
  // Beside the place, so that a rename is all that is left to do.
  const dir = await mkdtemp(join(order.output, ".deliverd-pull-"));
  let done = false;
  const bar = progress(release.files.length === 1 ? (release.files[0]?.size ?? null) : null);
  try {
    const bytes = bytesOf(options, content, first, bar.add);
    const names = await receive(release, Readable.from(bytes), dir);
    const files = names.map((name) => join(order.output, name));
    for (const file of files) await demandNoFolder(file);
    for (const name of names) await rename(join(dir, name), join(order.output, name));
    done = true;
    const [file = "", ...others] = files;
    return { file: others.length === 0 ? file : order.output, files, digest: release.digest, version: release.version };
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    throw new Failure(EXIT.failed, `the content of ${release.artifact} ${release.version} was not taken: ${because}`);
  } finally {
    bar.end();
    await rm(dir, { recursive: true, force: true });
    if (!done && made !== undefined) await rmdir(order.output).catch(() => {});
  }
}

function pathOf(artifact: string, version: string): string {
  return `/api/v1/releases/${encodeURIComponent(artifact)}/${encodeURIComponent(version)}`;
}

/** The whole content; a transfer that breaks off goes on where it was, as long as the server still has the same. */
async function* bytesOf(
  options: ClientOptions,
  path: string,
  first: Response,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let seen = 0;
  let response = first;
  const etag = first.headers.get("etag") ?? "";
  for (let left = RESUMES; ; left--) {
    const before = seen;
    try {
      for await (const chunk of response.body ?? []) {
        seen += chunk.length;
        tell(chunk.length);
        yield chunk;
      }
      return;
    } catch (error) {
      if (left === 0 || (seen === before && left < RESUMES)) throw causeOf(error);
    }
    response = await ask(options, path, { headers: { range: `bytes=${seen}-`, "if-range": etag } });
    if (seen > 0 && response.status !== 206) throw new Error("it broke off, and the server now has another content");
  }
}

/** fetch hides what happened behind "terminated". */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error
    ? new Error(`it broke off: ${error.cause.message}`)
    : error;
}

/** Writes what comes into the folder. @returns the names of the files, all of them as the release has them @throws where they differ */
async function receive(release: Release, content: Readable, dir: string): Promise<string[]> {
  const [file, ...others] = release.files;
  if (file === undefined) {
    const name = `${release.artifact}-${release.version}.tar`;
    const layout = verifiedLayout(release.digest);
    await pipeline(content, layout, createWriteStream(join(dir, demandName(name)), { flags: "wx" }));
    return [name];
  }
  const got = others.length === 0 ? [await write(content, dir, file.name)] : await unpack(content, dir, release);
  const digest = digestOfFiles(got);
  if (digest !== release.digest) throw new Error(`it is ${digest}, and the release is ${release.digest}`);
  return got.map(({ name }) => name);
}

/** Takes the files that the release names out of a tar, and nothing else: no folder, no link, no file twice. */
async function unpack(content: Readable, dir: string, release: Release): Promise<{ name: string; digest: string }[]> {
  const got: { name: string; digest: string }[] = [];
  const archive = extract();
  const reading = pipeline(content, archive);
  // Told of below, where it is waited for.
  reading.catch(() => {});
  for await (const entry of archive) {
    const { name, type } = entry.header;
    if (type !== "file" || !release.files.some((file) => file.name === name)) {
      throw new Error(
        `the server sent ${JSON.stringify(name.slice(0, 200))} (${type}), which the release does not have`,
      );
    }
    got.push(await write(entry as unknown as Readable, dir, name));
  }
  await reading;
  return got;
}

/** @throws EEXIST for a name that came before */
async function write(content: Readable, dir: string, name: string): Promise<{ name: string; digest: string }> {
  const hash = createHash("sha256");
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(content, tap, createWriteStream(join(dir, demandName(name)), { flags: "wx" }));
  return { name, digest: `sha256:${hash.digest("hex")}` };
}

/** Names come from a build: none may lead out of the folder, whoever checked it before. */
function demandName(name: string): string {
  if (name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name)) return name;
  throw new Error(`${JSON.stringify(name.slice(0, 200))} is no name for a file`);
}

async function demandNoFolder(path: string): Promise<void> {
  const there = await lstat(path).catch(() => null);
  if (there?.isDirectory()) throw new Error(`${path} is a folder`);
}
