import { posix } from "node:path";
import { PassThrough, pipeline, Readable } from "node:stream";
import tar from "tar-stream";
import type { BuildOrder } from "../builder.ts";

/** Where the engine finds the Dockerfile in the context. */
const addedName = ".deliverd.dockerfile";

/** The Dockerfile's path in the context; null: it lies outside of it and is added under a name of its own. */
function pathInContext({ context, dockerfile }: BuildOrder["artifact"]): string | null {
  const path = posix.relative(posix.join("/", context), posix.join("/", dockerfile));
  return path.startsWith("../") ? null : path;
}

export interface Context {
  stream: Readable;
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
  const inside = pathInContext(order.artifact);
  const tree = await order.openContext();
  const stream = new PassThrough();
  const broken = new AbortController();
  const ended = (error?: Error | null) => {
    if (error) broken.abort(error);
  };
  if (inside === null) pipeline(Readable.from(withDockerfile(order.dockerfile, tree)), stream, ended);
  else pipeline(tree, stream, ended);
  return { stream, dockerfile: inside ?? addedName, broken: broken.signal };
}

/** A tree that is opened before anybody asks for it: whoever asks first gets that one, others get their own. */
export function begun(openTree: BuildOrder["openContext"]): { open: BuildOrder["openContext"]; end(): void } {
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

async function* withDockerfile(text: string, tree: Readable): AsyncGenerator<Buffer> {
  const pack = tar.pack();
  pack.entry({ name: addedName, mode: 0o644, mtime: new Date(0) }, text);
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(Buffer.from(chunk as Uint8Array));
  const archive = Buffer.concat(chunks);
  // Without the two empty blocks that end an archive: the tree follows.
  yield archive.subarray(0, archive.length - 1024);
  yield* tree;
}
