import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { Refused } from "../../delivery/errors.ts";
import { SIDECAR_SUFFIX } from "../../delivery/proof/attachment.ts";
import { isDigest } from "../../store/digest.ts";
import { readLayout } from "../oci-layout.ts";
import { hashOf } from "./hash.ts";
import type { Target } from "./target.ts";

/** A file on this disk. The tar of an OCI layout, as `deliverd pull` writes it, stands for its image. */
export async function readFileTarget(path: string): Promise<Target> {
  const image = path.endsWith(".tar") ? await imageInTar(path) : null;
  const bundles = await besideOf(path);
  if (image !== null) return { label: path, digests: [image], bundles, bytes: "every blob of the layout was hashed" };
  const { digest, size } = await hashOf(path);
  return { label: basename(path), digests: [digest], bundles, bytes: `${size} bytes were hashed` };
}

/** The file beside it has an envelope on each line. */
async function besideOf(path: string): Promise<Target["bundles"]> {
  const file = `${path}${SIDECAR_SUFFIX}`;
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return linesOf(text).map((line) => ({ from: file, text: line }));
}

/** A file of bundles has one, or one on each line. */
export function linesOf(text: string): string[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.length > 0 && lines.every((line) => line.startsWith("{") && line.trimEnd().endsWith("}"))
    ? lines
    : [text].filter((whole) => whole.trim() !== "");
}

/** The image of a layout, all of whose blobs were hashed. Null: the tar holds no layout. */
async function imageInTar(path: string): Promise<string | null> {
  const index = await indexInTar(path);
  const digest = index?.manifests?.[0]?.digest;
  if (digest === undefined || !isDigest(digest)) return null;
  try {
    await readLayout(createReadStream(path), digest);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Refused("proof-content-differs", `${path} does not hold the image that it names: ${why}.`);
  }
  return digest;
}

async function indexInTar(path: string): Promise<{ manifests?: { digest?: string }[] } | null> {
  const archive = extract();
  const source = createReadStream(path);
  const reading = pipeline(source, archive).catch(() => {});
  try {
    for await (const entry of archive) {
      if (entry.header.name === "index.json")
        return JSON.parse((await buffer(entry as unknown as Readable)).toString());
      if (entry.header.name.startsWith("blobs/")) return null;
      entry.resume();
    }
    return null;
  } catch {
    return null;
  } finally {
    source.destroy();
    await reading;
  }
}
