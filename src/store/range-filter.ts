import { Transform } from "node:stream";

/** First and last byte. */
export interface Range {
  start: number;
  end: number;
}

/**
 * A sink that wants one range of a content. What does not lie in it is dropped as it comes; who writes pieces whose sizes
 * are known asks `cut` for the range, and brings nothing else.
 */
export class RangeFilter extends Transform {
  readonly #choose: (size: number) => Range;
  readonly #begin: (range: Range, size: number) => void;
  #chosen: { range: Range; size: number } | null = null;
  #at = 0;
  #hasBegun = false;

  /**
   * @param choose the range of a content of this size; it may throw
   * @param begin called before the first byte of it
   */
  constructor(choose: (size: number) => Range, begin: (range: Range, size: number) => void) {
    super();
    this.#choose = choose;
    this.#begin = begin;
  }

  /** For a content whose size is known before anything of it comes. */
  expect(size: number): Range {
    this.#chosen ??= { range: this.#choose(size), size };
    return this.#chosen.range;
  }

  /** The caller will write just these bytes. */
  cut(size: number): Range {
    const range = this.expect(size);
    this.#at = range.start;
    return range;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.#chosen === null) {
      done(new TypeError("a range of a content whose size nobody told"));
      return;
    }
    const { range, size } = this.#chosen;
    const part = sliceInRange(range, this.#at, chunk);
    this.#at += chunk.length;
    if (part.length > 0) {
      if (!this.#hasBegun) this.#begin(range, size);
      this.#hasBegun = true;
      this.push(part);
    }
    done();
  }
}

/** What of a chunk that begins at byte `at` lies in the range. */
export function sliceInRange({ start, end }: Range, at: number, chunk: Buffer): Buffer {
  return chunk.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at));
}
