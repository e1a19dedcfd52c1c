/** What is wrong with a Dockerfile, and where. The message is BuildKit's where it has one. */
export class DockerfileError extends Error {
  /** From 1. 0: the whole file. */
  readonly line: number;
  /** Upper-case. Empty: no instruction was read there. */
  readonly keyword: string;
  constructor(message: string, line = 0, keyword = "") {
    super(message);
    this.line = line;
    this.keyword = keyword;
  }
}

/** Does the work. An error without a line gets the line and keyword of the instruction. */
export function located<T>({ line, keyword }: { line: number; keyword: string }, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DockerfileError) || error.line !== 0) throw error;
    throw new DockerfileError(error.message, line, keyword);
  }
}

/** The characters of Go's unicode.IsSpace. JavaScript's `\s` has U+FEFF too, but not U+0085. */
const SPACES = "\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACE = new RegExp(`[${SPACES}]`);
const LEADING = new RegExp(`^[${SPACES}]+`);

export function isSpace(char: string): boolean {
  return SPACE.test(char);
}

export function trimStart(text: string): string {
  return text.replace(LEADING, "");
}

export function trim(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1] ?? "")) end -= 1;
  return trimStart(text.slice(0, end));
}

/** The blanks between the words of a line. */
export const BLANKS = /[\t\v\f\r ]+/;

/** The longest line that BuildKit reads, without its line end. */
const MAX_LINE_BYTES = 65_535;

/** Reads a file line by line. Each line keeps its line end. */
export class Lines {
  readonly #text: string;
  #at = 0;
  /** Number of the last line read, from 1. */
  number = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next line. Null: the end. @throws DockerfileError if a line is too long */
  next(): string | null {
    if (this.#at >= this.#text.length) return null;
    const newline = this.#text.indexOf("\n", this.#at);
    const line = this.#text.slice(this.#at, newline < 0 ? undefined : newline + 1);
    this.#at += line.length;
    this.number += 1;
    if (line.length > MAX_LINE_BYTES / 3 && Buffer.byteLength(line) - (newline < 0 ? 0 : 1) > MAX_LINE_BYTES)
      throw new DockerfileError(`a line is longer than the ${MAX_LINE_BYTES} bytes that are allowed`, this.number);
    return line;
  }
}

/** A line without its line end. */
export function bare(line: string): string {
  let end = line.length;
  while (line[end - 1] === "\n" || line[end - 1] === "\r") end -= 1;
  return line.slice(0, end);
}
