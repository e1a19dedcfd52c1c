import { Transform } from "node:stream";

/** The positions of the first and the last byte. */
export interface Range {
  start: number;
  end: number;
}

/**
 * A stream that passes on one range of a content, and drops the other bytes. A writer that knows the size can call
 * `cut` to learn the range, and then writes only these bytes.
 */
export class RangeFilter extends Transform {
  readonly #choose: (size: number) => Range;
  readonly #begin: (range: Range, size: number) => void;
  #chosen: { range: Range; size: number } | null = null;
  #at = 0;
  #hasBegun = false;

  /**
   * @param choose gives the range for a content of this size; it may throw
   * @param begin called before the first byte
   */
  constructor(choose: (size: number) => Range, begin: (range: Range, size: number) => void) {
    super();
    this.#choose = choose;
    this.#begin = begin;
  }

  /** Sets the size of the content, before its first byte. */
  expect(size: number): Range {
    this.#chosen ??= { range: this.#choose(size), size };
    return this.#chosen.range;
  }

  /** Sets the size, and gives the range. The caller then writes only these bytes. */
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

/** The part of a chunk that is in the range. @param at position of the chunk's first byte */
export function sliceInRange({ start, end }: Range, at: number, chunk: Buffer): Buffer {
  return chunk.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at));
}
