import { createReadStream } from "node:fs";
import { type FileHandle, open, truncate } from "node:fs/promises";
import { type ClientOptions, request } from "./client.ts";
import type { PartialDownload } from "./partial-download.ts";
import type { progressBar } from "./progress.ts";

/** How often a broken transfer goes on where it broke off. */
const RESUMES = 5;

export interface Source {
  options: ClientOptions;
  path: string;
  /** Of the release: the server's ETag. */
  digest: string;
}

/** What the server sends of a content from some byte on; null: there is nothing after it. */
type Rest = { response: Response; from: number; total: number | null } | null;

/** One content on its way into its partial. */
export class Download {
  /** Why it is not whole, where that is no fault of its bytes: another attempt may go on from here. */
  interruptedBy: unknown = null;
  /** Bytes that were here already. */
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

  /** Asks the server, and takes nothing yet. @throws Failure, where it has no content to give */
  static async begin(source: Source, partial: PartialDownload): Promise<Download> {
    return new Download(source, partial, await restOf(source, partial.size));
  }

  /** The whole content from its first byte, what was here before included; each byte that comes is kept before it is passed on. */
  async *bytes(bar: ReturnType<typeof progressBar>): AsyncGenerator<Uint8Array> {
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

  async *#arriving(file: FileHandle, bar: ReturnType<typeof progressBar>): AsyncGenerator<Uint8Array> {
    let rest = this.#first;
    let seen = this.resumedAt;
    for (let left = RESUMES; rest !== null; left--) {
      const before = seen;
      if (rest.total !== null) bar.expect(rest.total);
      if (rest.from > seen) throw new Error("the server left some of it out");
      try {
        // A server that knows no ranges begins anew.
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
        if (left === 0 || (seen === before && left < RESUMES)) throw causeOf(error);
      }
      rest = await restOf(this.#source, seen);
      if (rest?.from === 0 && seen > 0 && !isSame(rest.response, this.#source)) {
        throw new Error("it broke off, and the server now has another content");
      }
    }
  }
}

async function restOf(source: Source, seen: number): Promise<Rest> {
  const { options, path, digest } = source;
  const headers = seen === 0 ? {} : { range: `bytes=${seen}-`, "if-range": `"${digest}"` };
  const response = await request(options, path, { headers }, [416]);
  const [, first, total] = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
  if (response.status === 206 && first !== undefined && isSame(response, source))
    return { response, from: Number(first), total: Number(total) };
  if (response.status === 200) return { response, from: 0, total: null };
  await response.body?.cancel();
  // What is here is the whole, or more than that: then it is none of it.
  return response.status === 416 && Number(total) === seen ? null : restOf(source, 0);
}

function isSame(response: Response, { digest }: Source): boolean {
  return response.headers.get("etag") === `"${digest}"`;
}

/** fetch hides what happened behind "terminated". */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error
    ? new Error(`it broke off: ${error.cause.message}`)
    : error;
}
