import { createReadStream } from "node:fs";
import { type FileHandle, open, truncate } from "node:fs/promises";
import { type ClientOptions, request } from "./client.ts";
import type { PartialDownload } from "./partial-download.ts";
import type { Progress } from "./progress.ts";

/** How often an interrupted transfer is resumed. */
const MAX_RESUMES = 5;

export interface Source {
  options: ClientOptions;
  path: string;
  /** The release's digest, which is the server's ETag. */
  digest: string;
  /** The release does not say how many bytes the server sends: the answer has to. */
  needsTotal: boolean;
}

/** The server's answer with the bytes from `from` on; null if there are no more. `total` is null if it is not known. */
type Rest = { response: Response; from: number; total: number | null } | null;

/** The download of one content into a PartialDownload. */
export class Download {
  /** The error that interrupted the transfer; null if there was none. Another attempt can resume from here. */
  interruptedBy: unknown = null;
  /** Bytes that an earlier download left. */
  readonly resumedAt: number;
  readonly #source: Source;
  readonly #partial: PartialDownload;
  readonly #first: Rest;

  private constructor(source: Source, partial: PartialDownload, first: Rest) {
    this.#source = source;
    this.#partial = partial;
    this.#first = first;
    this.resumedAt = first === null ? partial.size : first.from;
  }

  /** Sends the first request, and reads nothing yet. @throws Failure if the server has no such content */
  static async begin(source: Source, partial: PartialDownload): Promise<Download> {
    return new Download(source, partial, await restOf(source, partial.size));
  }

  /** Yields the whole content, including what an earlier download left. Each chunk is saved before it is yielded. */
  async *bytes(bar: Progress): AsyncGenerator<Uint8Array> {
    let file: FileHandle | null = null;
    try {
      if (this.resumedAt < this.#partial.size) await truncate(this.#partial.file, this.resumedAt);
      file = await open(this.#partial.file, "a");
      if (this.resumedAt > 0) {
        bar.begin(this.resumedAt);
        yield* createReadStream(this.#partial.file, { end: this.resumedAt - 1 });
      }
      yield* this.#arriving(file, bar);
    } catch (error) {
      this.interruptedBy = error;
      throw error;
    } finally {
      await file?.close();
    }
  }

  async *#arriving(file: FileHandle, bar: Progress): AsyncGenerator<Uint8Array> {
    let rest = this.#first;
    let seen = this.resumedAt;
    for (let left = MAX_RESUMES; rest !== null; left--) {
      const before = seen;
      if (rest.total !== null) bar.expect(rest.total);
      if (rest.from > seen) throw new Error("the server skipped a part of the content");
      try {
        // A server without ranges starts again at the first byte: skip what is known.
        let known = seen - rest.from;
        for await (const chunk of rest.response.body ?? []) {
          const fresh = chunk.subarray(known);
          known -= chunk.length - fresh.length;
          if (fresh.length === 0) continue;
          await file.appendFile(fresh);
          seen += fresh.length;
          bar.add(fresh.length);
          yield fresh;
        }
        return;
      } catch (error) {
        if (left === 0 || (seen === before && left < MAX_RESUMES)) throw causeOf(error);
      }
      rest = await restOf(this.#source, seen);
      if (rest?.from === 0 && seen > 0 && !isSame(rest.response, this.#source)) {
        throw new Error("it was interrupted, and the server now has another content");
      }
    }
  }
}

/** @param asRange only an answer to a range says how many bytes there are in all */
async function restOf(source: Source, seen: number, asRange = seen > 0 || source.needsTotal): Promise<Rest> {
  const { options, path, digest } = source;
  const headers = asRange ? { range: `bytes=${seen}-`, "if-range": `"${digest}"` } : {};
  const response = await request(options, path, { headers }, [416]);
  const [, first, total] = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
  if (response.status === 206 && first !== undefined && isSame(response, source))
    return { response, from: Number(first), total: Number(total) };
  if (response.status === 200) return { response, from: 0, total: null };
  await response.body?.cancel();
  // 416: there are no more bytes. If more than the total was downloaded, the partial is wrong: start again.
  return response.status === 416 && Number(total) === seen ? null : restOf(source, 0, false);
}

function isSame(response: Response, { digest }: Source): boolean {
  return response.headers.get("etag") === `"${digest}"`;
}

/** The cause of a fetch error, whose own message says only "terminated". */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error
    ? new Error(`it was interrupted: ${error.cause.message}`)
    : error;
}
