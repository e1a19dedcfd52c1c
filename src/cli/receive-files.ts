import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { type Readable, Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import type { ReleaseView } from "../delivery/release-view.ts";
import { digestOfFiles } from "../store/files.ts";

export interface ReceivedFile {
  name: string;
  digest: string;
}

/**
 * Verifies the files of a release while they arrive. Several files arrive as a tar and are saved in the folder. A
 * single file is not saved: it is the content itself, which the caller saves.
 * @throws Error if the digest differs from the release's
 */
export async function receiveFiles(release: ReleaseView, content: Readable, folder: string): Promise<ReceivedFile[]> {
  const [file, ...others] = release.files;
  const got =
    file !== undefined && others.length === 0
      ? [await hashed(content, file.name, discard())]
      : await unpack(content, folder, release);
  const digest = digestOfFiles(got);
  if (digest !== release.digest)
    throw new Error(`its digest is ${digest}, but that of the release is ${release.digest}`);
  return got;
}

/** Extracts the files of the release from a tar. Refuses everything else: folders, links, other files, a file twice. */
async function unpack(content: Readable, folder: string, release: ReleaseView): Promise<ReceivedFile[]> {
  const got: ReceivedFile[] = [];
  const archive = extract();
  const reading = pipeline(content, archive);
  // An error is thrown below, where it is awaited.
  reading.catch(() => {});
  for await (const entry of archive) {
    const { name, type } = entry.header;
    if (type !== "file" || !release.files.some((file) => file.name === name)) {
      throw new Error(
        `the server sent ${JSON.stringify(name.slice(0, 200))} (${type}), which the release does not have`,
      );
    }
    // The flag `wx` fails with EEXIST if the tar has this name twice.
    const into = createWriteStream(join(folder, requireFileName(name)), { flags: "wx" });
    got.push(await hashed(entry as unknown as Readable, name, into));
  }
  await reading;
  return got;
}

async function hashed(content: Readable, name: string, into: Writable): Promise<ReceivedFile> {
  const hash = createHash("sha256");
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(content, tap, into);
  return { name, digest: `sha256:${hash.digest("hex")}` };
}

export function discard(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

/** Requires a plain file name. A build chose it, and it must not lead out of the folder. */
export function requireFileName(name: string): string {
  if (name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name)) return name;
  throw new Error(`${JSON.stringify(name.slice(0, 200))} is not a valid file name`);
}
