/** What is wrong with a Dockerfile, in BuildKit's words, and where. */
export class DockerfileError extends Error {
  /** From 1; 0: the file as a whole. */
  readonly line: number;
  /** Upper-case; empty: no instruction was read there. */
  readonly keyword: string;
  constructor(message: string, line = 0, keyword = "") {
    super(message);
    this.line = line;
    this.keyword = keyword;
  }
}

/** An error without a place gets that of the instruction. */
export function located<T>({ line, keyword }: { line: number; keyword: string }, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DockerfileError) || error.line !== 0) throw error;
    throw new DockerfileError(error.message, line, keyword);
  }
}

/** What Go's unicode.IsSpace accepts: JavaScript's `\s` has U+FEFF more and U+0085 less. */
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

/** The blanks that part the words of a line. */
export const BLANKS = /[\t\v\f\r ]+/;

/** The longest line that BuildKit reads, in bytes without its end. */
const LINE_MAX = 65_535;

/** The lines of a file with their ends, one after the other. */
export class Lines {
  readonly #text: string;
  #at = 0;
  /** That of the line read last, from 1. */
  number = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Null at the end. @throws DockerfileError where a line is too long */
  next(): string | null {
    if (this.#at >= this.#text.length) return null;
    const newline = this.#text.indexOf("\n", this.#at);
    const line = this.#text.slice(this.#at, newline < 0 ? undefined : newline + 1);
    this.#at += line.length;
    this.number += 1;
    if (line.length > LINE_MAX / 3 && Buffer.byteLength(line) - (newline < 0 ? 0 : 1) > LINE_MAX)
      throw new DockerfileError(`a line is longer than the ${LINE_MAX} bytes that are allowed`, this.number);
    return line;
  }
}

/** Without its end. */
export function bare(line: string): string {
  let end = line.length;
  while (line[end - 1] === "\n" || line[end - 1] === "\r") end -= 1;
  return line.slice(0, end);
}
