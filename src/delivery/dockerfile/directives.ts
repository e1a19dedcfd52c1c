import { bare, DockerfileError, Lines, trimStart } from "./text.ts";

/** A parser directive: `# name=value` at the very top of the file. */
interface Directive {
  name: string;
  value: string;
}

/** Reads the directives at the top of a file, up to the first line that is none. */
export class Directives {
  readonly #mark: string;
  readonly #seen = new Set<string>();
  #over = false;

  constructor(mark = "#") {
    this.#mark = mark;
  }

  /** @throws DockerfileError if a directive is given twice */
  read(line: string, number: number): Directive | null {
    if (this.#over) return null;
    const directive = line.startsWith(this.#mark) ? match(trimStart(line.slice(this.#mark.length))) : null;
    if (directive === null) this.#over = true;
    else if (this.#seen.has(directive.name))
      throw new DockerfileError(`only one ${directive.name} parser directive can be used`, number);
    else this.#seen.add(directive.name);
    return directive;
  }
}

function match(text: string): Directive | null {
  const [, name = "", value = ""] =
    /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*([^\t\n\f\r ](?:[^\n]*[^\t\n\f\r ])?|[\t\f\r ])[\t\n\f\r ]*$/.exec(
      text,
    ) ?? [];
  return ["syntax", "escape", "check"].includes(name.toLowerCase()) ? { name: name.toLowerCase(), value } : null;
}

/**
 * The image of a `# syntax=` line. Null: there is none. As in BuildKit, it may also be in a `// syntax=…` line or a
 * JSON object, and a `#!` line may come first.
 */
export function syntaxOf(text: string): string | null {
  const plain = text.replace(/^\uFEFF/, "").replace(/^#![^\n]*(?:\n|$)/, "");
  return syntaxAfter("#", plain) ?? syntaxAfter("//", plain) ?? syntaxInJson(plain);
}

function syntaxAfter(mark: string, text: string): string | null {
  const directives = new Directives(mark);
  const lines = new Lines(text);
  try {
    for (let line = lines.next(); line !== null; line = lines.next()) {
      const directive = directives.read(bare(line), lines.number);
      if (directive === null) return null;
      if (directive.name === "syntax") return directive.value.split(" ")[0] ?? null;
    }
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
  }
  return null;
}

function syntaxInJson(text: string): string | null {
  if (!/^[\t\n\r ]*\{/.test(text)) return null;
  try {
    const { syntax } = JSON.parse(text) as { syntax?: unknown };
    return typeof syntax === "string" ? syntax : null;
  } catch {
    return null;
  }
}
