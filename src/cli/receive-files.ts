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
 * Holds files to the release's digest as they come. Of several, each is put into the folder under its name; one is the
 * content itself, and kept by whoever brings it. @throws where they differ from what the release has
 */
export async function receiveFiles(release: ReleaseView, content: Readable, folder: string): Promise<ReceivedFile[]> {
  const [file, ...others] = release.files;
  const got =
    file !== undefined && others.length === 0
      ? [await hashed(content, file.name, discard())]
      : await unpack(content, folder, release);
  const digest = digestOfFiles(got);
  if (digest !== release.digest) throw new Error(`it is ${digest}, and the release is ${release.digest}`);
  return got;
}

/** Takes the files that the release names out of a tar, and nothing else: no folder, no link, no file twice. */
async function unpack(content: Readable, folder: string, release: ReleaseView): Promise<ReceivedFile[]> {
  const got: ReceivedFile[] = [];
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
    // EEXIST for a name that came before.
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

/** Names come from a build: none may lead out of the folder, whoever checked it before. */
export function requireFileName(name: string): string {
  if (name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name)) return name;
  throw new Error(`${JSON.stringify(name.slice(0, 200))} is no name for a file`);
}
