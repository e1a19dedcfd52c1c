import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type Dockerode from "dockerode";
import { extract, type Pack, pack } from "tar-stream";
import { readMessages } from "../builders/engine/messages.ts";
import { connectEngine } from "../builders/engine.ts";
import { type Image, layoutFiles, type Manifest } from "./oci-layout.ts";
import { requireEngine } from "./require-engine.ts";

export interface LocalEngine {
  docker: Dockerode;
  /** For example `linux/amd64`. */
  platform: string;
}

/** Connects to this machine's engine, at DOCKER_HOST or the default socket. @throws Failure if it does not answer */
export async function localEngine(): Promise<LocalEngine> {
  const address = { env: process.env };
  const docker = connectEngine(address);
  const { Os, Arch } = await requireEngine(docker, address);
  return { docker, platform: `${Os}/${Arch}` };
}

export interface LoadedImage {
  /** `<artifact>:<version>` */
  image: string;
  /** The engine's id of the image. */
  id: string;
}

/**
 * Loads a verified image into the engine, and checks that the engine then has this image.
 * @param file the tar of its OCI layout
 */
export async function loadImage(
  { docker, platform }: LocalEngine,
  file: string,
  image: Image,
  name: string,
): Promise<LoadedImage> {
  const [digest, manifest] = imageForPlatform(platform, image);
  const config = manifest.config?.digest ?? "";
  const archive = {
    Config: pathOf(config),
    RepoTags: [name],
    Layers: (manifest.layers ?? []).map((each) => pathOf(each.digest)),
  };
  const annotations = {
    "io.containerd.image.name": `docker.io/library/${name}`,
    "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
  };
  // Docker before version 25 reads only manifest.json; engines that use containerd's image store read the OCI layout.
  const told: [string, string][] = [...layoutFiles(image, annotations), ["manifest.json", JSON.stringify([archive])]];
  const over = new AbortController();
  const tar = pack();
  try {
    await Promise.all([fill(tar, told, file, image), take(docker, tar, over.signal)]);
  } catch (error) {
    over.abort();
    tar.destroy();
    throw error;
  }
  const { Id: id } = await docker.getImage(name).inspect();
  if (![config, digest, image.digest].includes(id))
    throw new Error(`the engine has ${id} under the name ${name} instead of ${config}`);
  return { image: name, id };
}

/** The image for a platform: the image itself, or the matching one of an index. @throws Error if there is none */
export function imageForPlatform(platform: string, image: Image): [digest: string, manifest: Manifest] {
  const own = image.manifests.get(image.digest);
  const children = own?.manifests ?? [];
  const fitting = children.find((each) => `${each.platform?.os}/${each.platform?.architecture}` === platform);
  const digest = own?.manifests === undefined ? image.digest : (fitting?.digest ?? "");
  const manifest = image.manifests.get(digest);
  if (manifest === undefined) throw new Error(`it has no image for ${platform}, the platform of the engine`);
  return [digest, manifest];
}

async function fill(tar: Pack, told: [string, string][], file: string, image: Image): Promise<void> {
  for (const [name, text] of told) tar.entry({ name }, text);
  const archive = extract();
  const reading = pipeline(createReadStream(file), archive);
  // An error is thrown below, where it is awaited.
  reading.catch(() => {});
  for await (const entry of archive) {
    const { name, size = 0 } = entry.header;
    const wanted = image.blobs.has(name.replace(/^blobs\/sha256\//, "sha256:"));
    if (wanted) await pipeline(entry as unknown as Readable, tar.entry({ name, size }));
    else entry.resume();
  }
  await reading;
  tar.finalize();
}

async function take(docker: Dockerode, tar: Pack, abortSignal: AbortSignal): Promise<void> {
  const answer = await docker.loadImage(tar as unknown as NodeJS.ReadableStream, { quiet: true, abortSignal });
  for await (const { error } of readMessages(answer)) {
    if (error !== undefined) throw new Error(`the engine did not accept it: ${error.trim()}`);
  }
}

function pathOf(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}
