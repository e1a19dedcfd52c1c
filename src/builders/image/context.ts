import { once } from "node:events";
import { posix } from "node:path";
import { PassThrough, pipeline, type Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline as streamed } from "node:stream/promises";
import tar from "tar-stream";
import type { BuildOrder } from "../builder.ts";
import { type BuildFiles, DOCKERFILE } from "./file-sync.ts";

/** Its place where a Dockerfile is added to a context that it is no part of. */
const addedName = ".deliverd.dockerfile";

export interface Context {
  /** Null: BuildKit fetches its files over the session. */
  stream: Readable | null;
  files: BuildFiles | null;
  /** Where in it the Dockerfile lies. */
  dockerfile: string;
  /** Aborted, with the reason, when the tree could not be read to its end: possibly before anybody listens to the stream. */
  broken: AbortSignal;
}

/**
 * The context as a stream that can be sent. It flows into a buffer from the first moment: a stream that waits while the
 * request is made loses its beginning (seen: 28 of 120 builds with "the Dockerfile cannot be empty").
 */
export async function openContext(order: BuildOrder): Promise<Context> {
  const { context, dockerfile } = order.artifact;
  const path = posix.relative(posix.join("/", context), posix.join("/", dockerfile));
  const isInside = !path.startsWith("../");
  const place = isInside ? path : addedName;
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

/** BuildKit takes no Dockerfile beside a tar: where it may not be in the context, both are handed over by the session. */
export function sessionContext(order: BuildOrder): Context {
  const broken = new AbortController();
  const openContext = async () => {
    try {
      const tree = await order.openContext();
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
 * For the classic builder, which takes the Dockerfile out of the context again where `.dockerignore` names it: the way of `docker build`
 * itself. A Dockerfile from outside has a name of its own in it, which a `.dockerignore` that stays in the image then has in its last line.
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

/** A tree that is opened before anybody asks for it: whoever asks first gets that one, others get their own. */
export function openEarly(openTree: BuildOrder["openContext"]): { open: BuildOrder["openContext"]; end(): void } {
  const early = openTree().then(attached);
  // Where it fails, whoever asks hears of it.
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

/** Read from the first moment: a process's output that nobody reads is thrown away when the process ends. */
function attached(tree: Readable): Readable {
  const stream = new PassThrough();
  pipeline(tree, stream, () => {});
  return stream;
}
