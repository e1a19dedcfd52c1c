import { lstat, mkdir, readFile, rename, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ReleaseView } from "../delivery/release-view.ts";
import { makeFolder } from "../run/make-folder.ts";
import { tarSize } from "../store/tar.ts";
import { type ClientOptions, requestJson } from "./client.ts";
import type { LoadedImage, LocalEngine } from "./docker-load.ts";
import { Download, type Source } from "./download.ts";
import { EXIT, Failure } from "./exit.ts";
import { explainFileError, fileFailure, type WrittenPlace } from "./file-errors.ts";
import { type Image, layoutFiles, readLayout } from "./oci-layout.ts";
import { openPartialDownload, type PartialDownload } from "./partial-download.ts";
import { progressBar } from "./progress.ts";
import { type ReceivedFile, receiveFiles, requireFileName } from "./receive-files.ts";

export interface PullOrder {
  artifact: string;
  version: string;
  /** The output folder, which is created if missing. */
  output: string;
  repo?: string | undefined;
  /** The key of the registry to pull from; any registry if left out. */
  from?: string | undefined;
  /** Save an image as the folder of an OCI layout. */
  layout?: boolean | undefined;
  /** Load an image into this machine's Docker Engine instead of saving it. */
  load?: boolean | undefined;
}

export interface Pulled {
  artifact: string;
  version: string;
  repo: string;
  digest: string;
  /** The file; the folder if there are several files or a layout; null if the image was loaded into the engine. */
  file: string | null;
  files: string[];
  /** The digest of each file. The tar of an image has the image's digest. */
  contents: { file: string; digest: string }[];
  loaded: LoadedImage | null;
  /** Bytes that an earlier pull left. */
  resumedAt: number;
}

/**
 * Downloads a release through the server and verifies it against the release's digest. Files get their names only after
 * everything is verified. Wrong bytes are removed; those of an interrupted download are kept, so that the next pull
 * resumes.
 * @throws Failure
 */
export async function pull(options: ClientOptions, order: PullOrder): Promise<Pulled> {
  try {
    return await pullInto(options, order);
  } catch (error) {
    throw fileFailure(error, placeOf(order));
  }
}

function placeOf({ output }: PullOrder): WrittenPlace {
  return { path: output, elsewhere: "Choose another folder with --output." };
}

async function pullInto(options: ClientOptions, order: PullOrder): Promise<Pulled> {
  if (order.layout && order.load) throw new Failure(EXIT.usage, "--layout and --load exclude each other");
  const query = order.repo === undefined ? "" : `?${new URLSearchParams({ repo: order.repo })}`;
  const release = await requestJson<ReleaseView>(options, `${pathOf(order.artifact, order.version)}${query}`);
  if ((order.layout || order.load) && release.kind !== "image") {
    throw new Failure(EXIT.usage, `--layout and --load are for images: ${release.artifact} is ${release.kind}`);
  }
  const engine = order.load ? await (await import("./docker-load.ts")).localEngine() : null;
  const from = order.from === undefined ? {} : { registry: order.from };
  const contentQuery = new URLSearchParams({ repo: release.repo, ...from });
  const path = `${pathOf(order.artifact, release.version)}/content?${contentQuery}`;
  if (!/^sha256:[0-9a-f]{64}$/.test(release.digest)) throw failure(release, "the server sent no valid digest");
  const partial = await openPartialDownload(order.output, order.artifact, release.digest);
  const source: Source = { options, path, digest: release.digest, needsTotal: release.kind === "image" };
  let outcome = await attempt(order, release, source, partial, engine);
  // The bytes of an earlier pull may be the wrong ones: download everything again.
  if (outcome.kind === "wrong-bytes" && partial.size > 0)
    outcome = await attempt(order, release, source, { ...partial, size: 0 }, engine);
  switch (outcome.kind) {
    case "pulled":
      return outcome.pulled;
    case "wrong-bytes":
      throw failure(release, outcome.error);
  }
}

type AttemptOutcome = { kind: "pulled"; pulled: Pulled } | { kind: "wrong-bytes"; error: unknown };

/** @throws Failure if the download was interrupted, or if the content could not be moved or loaded */
async function attempt(
  order: PullOrder,
  release: ReleaseView,
  source: Source,
  partial: PartialDownload,
  engine: LocalEngine | null,
): Promise<AttemptOutcome> {
  const download = await Download.begin(source, partial);
  const made = await makeFolder(order.output);
  const bar = progressBar(await contentSize(release));
  let verified = false;
  let done = false;
  // Keep also a complete content that the engine did not accept: the next pull need not download it again.
  const keep = () => download.interruptedBy !== null || (verified && engine !== null);
  try {
    await partial.createFolder();
    const content = Readable.from(download.bytes(bar), { objectMode: false });
    const received = await receive(order, release, content, partial, engine);
    verified = true;
    bar.end();
    const placed = await place(order, release, received, partial, engine);
    done = true;
    const { artifact, version, repo, digest } = release;
    const pulled = { artifact, version, repo, digest, ...placed, resumedAt: download.resumedAt };
    return { kind: "pulled", pulled };
  } catch (error) {
    const cause = download.interruptedBy ?? error;
    const local = explainFileError(cause, placeOf(order));
    if (!verified && download.interruptedBy === null && local === null) return { kind: "wrong-bytes", error };
    throw failure(
      release,
      local?.replace(/\.$/, "") ?? cause,
      keep() ? ". The downloaded part is kept: run the same command again to resume" : "",
    );
  } finally {
    bar.end();
    await partial.cleanUp(!done && keep());
    if (!done && made !== undefined) await rmdir(order.output).catch(() => {});
  }
}

/** The bytes that the server sends; null for an image, of which only the server knows. */
async function contentSize({ files }: ReleaseView): Promise<number | null> {
  const [first, ...others] = files;
  if (first === undefined) return null;
  return others.length === 0 ? first.size : tarSize(files);
}

function pathOf(artifact: string, version: string): string {
  return `/api/v1/releases/${encodeURIComponent(artifact)}/${encodeURIComponent(version)}`;
}

function failure({ artifact, version }: ReleaseView, error: unknown, more = ""): Failure {
  const because = error instanceof Error ? error.message : String(error);
  return new Failure(EXIT.failed, `the content of ${artifact} ${version} could not be pulled: ${because}${more}`);
}

/** A verified content. */
type Verified = { files: ReceivedFile[] } | { image: Image };

async function receive(
  order: PullOrder,
  release: ReleaseView,
  content: Readable,
  partial: PartialDownload,
  engine: LocalEngine | null,
): Promise<Verified> {
  if (release.files.length === 0) {
    const image = await readLayout(content, release.digest, order.layout ? partial.stage : undefined);
    if (engine !== null) (await import("./docker-load.ts")).imageForPlatform(engine.platform, image);
    return { image };
  }
  for (const { name } of release.files) requireFileName(name);
  await mkdir(partial.stage);
  return { files: await receiveFiles(release, content, partial.stage) };
}

type Placed = Pick<Pulled, "file" | "files" | "contents" | "loaded">;

/** Moves verified files to their final names, or loads the image into the engine. */
async function place(
  order: PullOrder,
  release: ReleaseView,
  verified: Verified,
  partial: PartialDownload,
  engine: LocalEngine | null,
): Promise<Placed> {
  const { output } = order;
  if ("image" in verified) {
    const { image } = verified;
    if (engine !== null) {
      const { loadImage } = await import("./docker-load.ts");
      const tag = release.version.replace(/[^A-Za-z0-9_.-]/g, "-").slice(0, 128);
      const loaded = await loadImage(engine, partial.file, image, `${order.artifact}:${tag}`);
      return { file: null, files: [], contents: [], loaded };
    }
    if (order.layout) return placeLayout(output, release, image, partial);
  }
  const files =
    "files" in verified
      ? verified.files
      : [{ name: requireFileName(`${release.artifact}-${release.version}.tar`), digest: release.digest }];
  const contents = files.map(({ name, digest }) => ({ file: join(output, name), digest }));
  for (const { file } of contents) await requireNoFolder(file);
  const [first, ...others] = files;
  if (first === undefined) throw new Error("the release has no files");
  if (others.length === 0) await rename(partial.file, join(output, first.name));
  else for (const { name } of files) await rename(join(partial.stage, name), join(output, name));
  const file = others.length === 0 ? join(output, first.name) : output;
  return { file, files: contents.map((each) => each.file), contents, loaded: null };
}

/** Writes the index last, so that everything it names exists. */
async function placeLayout(
  output: string,
  release: ReleaseView,
  image: Image,
  partial: PartialDownload,
): Promise<Placed> {
  const index = join(output, "index.json");
  const before = await readFile(index, "utf8").catch(() => null);
  if (before !== null && !before.includes(image.digest)) {
    throw new Error(`${output} is the layout of another image: choose another folder with -o`);
  }
  const folder = join(output, "blobs", "sha256");
  await makeFolder(folder);
  for (const digest of image.blobs) {
    const hex = digest.slice("sha256:".length);
    await rename(join(partial.stage, hex), join(folder, hex));
  }
  for (const [name, text] of layoutFiles(image, { "org.opencontainers.image.ref.name": release.version })) {
    await writeFile(join(partial.stage, name), text);
    await rename(join(partial.stage, name), join(output, name));
  }
  return { file: output, files: [output], contents: [{ file: output, digest: release.digest }], loaded: null };
}

async function requireNoFolder(path: string): Promise<void> {
  const there = await lstat(path).catch(() => null);
  if (there?.isDirectory()) throw new Error(`${path} is a folder`);
}
