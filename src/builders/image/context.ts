import { once } from "node:events";
import { posix } from "node:path";
import { PassThrough, pipeline, type Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline as streamed } from "node:stream/promises";
import tar from "tar-stream";
import type { BuildOrder } from "../builder.ts";
import { type BuildFiles, DOCKERFILE } from "../buildkit/session/file-sync.ts";

/** Name of a Dockerfile that is added to a context of which it is not part. */
const ADDED_DOCKERFILE = ".deliverd.dockerfile";

export interface Context {
  /** Null: BuildKit fetches the files over the session. */
  stream: Readable | null;
  files: BuildFiles | null;
  /** Path of the Dockerfile in the context. */
  dockerfile: string;
  /** Aborted with the reason if the tree cannot be read to its end. That may happen before anybody reads the stream. */
  broken: AbortSignal;
}

/**
 * The context as a stream to send. It flows into a buffer from the start: a stream that waits for the request loses its
 * beginning (28 of 120 builds failed with "the Dockerfile cannot be empty").
 */
export async function openContext(order: BuildOrder): Promise<Context> {
  const { place, isInside } = dockerfilePlace(order);
  const tree = await order.openContext();
  const stream = new PassThrough();
  const broken = new AbortController();
  const ended = (error?: Error | null) => {
    if (error) broken.abort(error);
  };
  if (order.dockerfileApart) pipeline(withDockerfile(tree, order.dockerfile, place, isInside), stream, ended);
  else pipeline(tree, stream, ended);
  return { stream, files: null, dockerfile: place, broken: broken.signal };
}

/** Where a context has its Dockerfile, or would have it. */
export function dockerfilePlace({ artifact }: BuildOrder): { place: string; isInside: boolean } {
  const path = posix.relative(posix.join("/", artifact.context), posix.join("/", artifact.dockerfile));
  const isInside = !path.startsWith("../");
  return { place: isInside ? path : ADDED_DOCKERFILE, isInside };
}

/**
 * BuildKit accepts no Dockerfile beside a tar. If the Dockerfile may not be in the context, the session serves both.
 */
export function sessionContext(order: BuildOrder): Context & { files: BuildFiles } {
  const broken = new AbortController();
  const openContext = async () => {
    try {
      const tree = await order.openContext();
      // A tree that was opened early may be broken by now.
      if (tree.errored) broken.abort(tree.errored);
      return tree.on("error", (error) => broken.abort(error));
    } catch (error) {
      broken.abort(error);
      throw error;
    }
  };
  const files = { dockerfile: order.dockerfile, openContext };
  return { stream: null, files, dockerfile: DOCKERFILE, broken: broken.signal };
}

/**
 * Adds the Dockerfile to a context, for the classic builder. As in `docker build`, that builder removes the Dockerfile
 * from the context again if `.dockerignore` names it. So the name of a Dockerfile from outside is added to
 * `.dockerignore` as its last line.
 */
function withDockerfile(tree: Readable, text: string, place: string, isInside: boolean): Readable {
  const pack = tar.pack();
  const extract = tar.extract();
  const copy = async () => {
    let ignoreFile: string | null = null;
    for await (const entry of extract) {
      if (entry.header.name === ".dockerignore" && entry.header.type === "file") {
        ignoreFile = (await buffer(entry)).toString("latin1");
        continue;
      }
      const target = pack.entry(entry.header);
      for await (const chunk of entry) if (!target.write(chunk)) await once(target, "drain");
      target.end(null);
    }
    const plain = { mode: 0o644, mtime: new Date(0) };
    pack.entry({ ...plain, name: place }, text);
    const names = ignoreFile === null ? `.dockerignore\n${place}\n` : `${ignoreFile}\n${place}\n`;
    const isNamed = isInside && ignoreFile !== null;
    pack.entry({ ...plain, name: ".dockerignore" }, Buffer.from(isNamed ? (ignoreFile ?? "") : names, "latin1"));
    pack.finalize();
  };
  const out = new PassThrough();
  pack.on("error", (error) => out.destroy(error));
  Promise.all([streamed(tree, extract), copy()]).catch((error) => out.destroy(error));
  return pack.pipe(out);
}

/** Opens a tree early. The first call of `open` gets that tree; later calls open their own. */
export function openEarly(openTree: BuildOrder["openContext"]): { open: BuildOrder["openContext"]; end(): void } {
  const early = openTree().then(attached);
  // The first caller of `open` gets the error.
  early.catch(() => {});
  let isTaken = false;
  return {
    open() {
      const tree = isTaken ? openTree() : early;
      isTaken = true;
      return tree;
    },
    end: () => void early.then((tree) => tree.destroy()).catch(() => {}),
  };
}

/** Reads a stream from the start: unread output of a process is lost when the process ends. */
function attached(tree: Readable): Readable {
  const stream = new PassThrough();
  pipeline(tree, stream, () => {});
  return stream;
}
