import { BadPattern, replacePattern, TooCostly, trimPattern } from "./pattern.ts";
import { isSpace } from "./text.ts";

/** Values by name. Null: only the engine knows the value. */
export type Variables = ReadonlyMap<string, string | null>;

export type Expansion =
  | { kind: "text"; text: string; words: string[] }
  /** BuildKit would refuse it. The message is BuildKit's. */
  | { kind: "error"; message: string }
  /** It depends on a value that only the engine knows, or would become too long. */
  | { kind: "unknown" };

export interface ShellRules {
  escapeChar: string;
  variables: Variables;
  /** What stays as it is written: quotes, escapes, variables without a value. */
  keeps?: { quotes: boolean; escapes: boolean; unset: boolean };
}

class ShellError extends Error {}
class Unknown extends Error {}

const MAX_NESTING = 500;
/** Characters that variables may add. Without a limit, each line could double the one before. */
const MAX_GROWTH = 64 * 1024;
const KEEPS_NOTHING = { quotes: false, escapes: false, unset: false };

/** Expands quotes, escapes and variables as BuildKit's shell lexer does, and splits the result into words. */
export function expand(text: string, rules: ShellRules): Expansion {
  try {
    const shell = new Shell(text, rules);
    const { result, words } = shell.run(null, shell.keeps.escapes);
    return { kind: "text", text: result, words };
  } catch (error) {
    if (error instanceof ShellError) return { kind: "error", message: error.message };
    if (error instanceof Unknown) return { kind: "unknown" };
    throw error;
  }
}

class Shell {
  readonly #text: string[];
  readonly #escape: string;
  readonly #variables: Variables;
  readonly keeps: Required<ShellRules>["keeps"];
  #at = 0;
  #depth = 0;
  #grown = 0;
  #keepsEscapes: boolean;
  /** The current word. All levels share it: in BuildKit, inner words end the outer ones. */
  #word = "";

  constructor(text: string, { escapeChar, variables, keeps = KEEPS_NOTHING }: ShellRules) {
    this.#text = Array.from(text.replace(/^\uFEFF/, ""));
    this.#escape = escapeChar;
    this.#variables = variables;
    this.keeps = keeps;
    this.#keepsEscapes = keeps.escapes;
  }

  get #ended(): boolean {
    return this.#at >= this.#text.length;
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #next(): string {
    const char = this.#peek();
    this.#at += 1;
    return char;
  }

  /** Reads up to the end (null) or past the character that stops it. */
  run(stop: string | null, keepsEscapes: boolean): { result: string; words: string[] } {
    if (this.#depth === MAX_NESTING) throw new Unknown();
    this.#depth += 1;
    const before = this.#keepsEscapes;
    this.#keepsEscapes = keepsEscapes;
    let result = "";
    const words: string[] = [];
    let inWord = false;
    this.#word = "";
    const add = (text: string, raw: boolean) => {
      for (const char of raw ? [text] : text) {
        if (raw || !isSpace(char)) {
          this.#word += char;
          inWord = true;
        } else if (inWord && this.#word !== "") {
          words.push(this.#word);
          this.#word = "";
          inWord = false;
        }
      }
    };
    for (; !this.#ended && this.#peek() !== stop; ) {
      const char = this.#peek();
      const special = this.#special(char);
      if (special !== null) {
        result += special;
        add(special, char !== "$");
      } else if (this.#next() !== this.#escape) {
        result += char;
        add(char, false);
      } else {
        if (this.#keepsEscapes) {
          result += char;
          add(char, true);
        }
        if (this.#ended) break;
        const escaped = this.#next();
        result += escaped;
        add(escaped, true);
      }
    }
    if (stop !== null && this.#next() !== stop)
      throw new ShellError(`unexpected end of statement while looking for matching ${stop}`);
    if (this.#word !== "") words.push(this.#word);
    this.#word = "";
    this.#keepsEscapes = before;
    this.#depth -= 1;
    return { result, words };
  }

  /** Null: the character has no special meaning. */
  #special(char: string): string | null {
    switch (char) {
      case "'":
        return this.#singleQuoted();
      case '"':
        return this.#doubleQuoted();
      case "$":
        return this.#dollar();
      case "<":
        return this.#lessThan();
      default:
        return null;
    }
  }

  #singleQuoted(): string {
    const start = this.#at;
    const end = this.#text.indexOf("'", start + 1);
    if (end < 0) throw new ShellError("unexpected end of statement while looking for matching single-quote");
    this.#at = end + 1;
    return (this.keeps.quotes ? this.#text.slice(start, end + 1) : this.#text.slice(start + 1, end)).join("");
  }

  #doubleQuoted(): string {
    const quote = this.keeps.quotes ? '"' : "";
    this.#at += 1;
    let result = quote;
    for (;;) {
      if (this.#ended) throw new ShellError("unexpected end of statement while looking for matching double-quote");
      if (this.#peek() === "$") {
        result += this.#dollar();
        continue;
      }
      const char = this.#next();
      if (char === '"') return result + quote;
      if (char !== this.#escape) {
        result += char;
        continue;
      }
      if (this.#keepsEscapes) result += char;
      if (this.#ended) continue;
      const isEscaped = ['"', "$", this.#escape].includes(this.#peek());
      result += isEscaped ? this.#next() : char;
    }
  }

  /** The `<<` of a here-document, together with the blanks after it. */
  #lessThan(): string {
    this.#at += 1;
    if (this.#peek() !== "<") return "<";
    this.#at += 1;
    let result = "<<";
    while (/^[\t\r ]$/.test(this.#peek())) result += this.#next();
    return result;
  }

  #dollar(): string {
    this.#at += 1;
    if (this.#peek() !== "{") {
      const name = this.#name();
      if (name === "") return "$";
      return this.#valueOf(name) ?? (this.keeps.unset ? `$${name}` : "");
    }
    this.#at += 1;
    if (this.#ended) throw new ShellError("syntax error: missing '}'");
    if ("{}:".includes(this.#peek())) throw new ShellError("syntax error: bad substitution");
    const name = this.#name();
    const sign = this.#next();
    if (sign === "}") return this.#valueOf(name) ?? (this.keeps.unset ? `\${${name}}` : "");
    if (sign === "/") return this.#replaced(name);
    const modifier = sign === ":" ? `:${this.#next()}` : sign;
    if (!/^(?::[^#%]?|[-+?#%])$/su.test(modifier)) throw unsupported(modifier);
    return this.#modified(name, modifier, this.#until("}", modifier === "#" || modifier === "%"));
  }

  #until(stop: string, keepsEscapes: boolean): string {
    try {
      return this.run(stop, keepsEscapes).result;
    } catch (error) {
      if (!(error instanceof ShellError) || !this.#ended) throw error;
      throw new ShellError(stop === "}" ? "syntax error: missing '}'" : "syntax error: missing '/' in a substitution");
    }
  }

  #modified(name: string, modifier: string, word: string): string {
    const value = this.#valueOf(name);
    if (value === undefined && this.keeps.unset) return `\${${name}${modifier}${word}}`;
    const isSet = value !== undefined && !(modifier.startsWith(":") && value === "");
    switch (modifier.at(-1)) {
      case "-":
        return isSet ? value : word;
      case "+":
        return isSet ? word : "";
      case "?": {
        if (isSet) return value;
        const why = value === undefined ? "is not allowed to be unset" : "is not allowed to be empty";
        throw new ShellError(`${name}: ${word || why}`);
      }
      case "#":
      case "%":
        return this.#matched(word, () => trimPattern(word, value ?? "", modifier));
      default:
        throw unsupported(modifier);
    }
  }

  #replaced(name: string): string {
    const all = this.#peek() === "/";
    if (all) this.#at += 1;
    const pattern = this.#until("/", true);
    const replacement = this.#until("}", true);
    const value = this.#valueOf(name);
    if (value === undefined && this.keeps.unset) return `\${${name}/${pattern}/${replacement}}`;
    // Go would read a dollar sign as a group of its regular expression.
    if (all && replacement.includes("$")) throw new Unknown();
    return this.#matched(pattern, () => replacePattern(pattern, value ?? "", replacement, all));
  }

  #matched(pattern: string, match: () => string): string {
    try {
      return match();
    } catch (error) {
      if (error instanceof TooCostly) throw new Unknown();
      if (!(error instanceof BadPattern)) throw error;
      throw new ShellError(`invalid pattern (${pattern}) in substitution: ${error.message}`);
    }
  }

  #name(): string {
    const char = this.#peek();
    if (/^\p{Nd}$/u.test(char)) return this.#while(/^\p{Nd}$/u);
    if (char !== "" && "@*#?-$!".includes(char)) return this.#next();
    return this.#while(/^[\p{L}\p{Nd}_]$/u);
  }

  #while(pattern: RegExp): string {
    const start = this.#at;
    while (pattern.test(this.#peek())) this.#at += 1;
    return this.#text.slice(start, this.#at).join("");
  }

  /** Undefined: the variable is not set. */
  #valueOf(name: string): string | undefined {
    const value = this.#variables.get(name);
    if (value === null) throw new Unknown();
    this.#grown += value?.length ?? 0;
    if (this.#grown > MAX_GROWTH) throw new Unknown();
    return value;
  }
}

function unsupported(modifier: string): ShellError {
  return new ShellError(`unsupported modifier (${modifier}) in substitution`);
}
