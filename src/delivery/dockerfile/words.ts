import { BLANKS, isSpace, trim } from "./text.ts";

export interface Command {
  /** As written. */
  keyword: string;
  /** The `--name=value` words at the start, without quotes. */
  flags: string[];
  rest: string;
}

export function splitCommand(line: string, escapeChar: string): Command {
  const text = trim(line);
  const blank = BLANKS.exec(text);
  if (blank === null) return { keyword: text, flags: [], rest: "" };
  const { flags, rest } = takeFlags(text.slice(blank.index + blank[0].length), escapeChar);
  return { keyword: text.slice(0, blank.index), flags, rest: trim(rest) };
}

/** BuildKit reads flags byte by byte, so each byte of a character outside ASCII becomes a character of its own. */
function takeFlags(text: string, escapeChar: string): { flags: string[]; rest: string } {
  const bytes = Buffer.from(text).toString("latin1");
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (at < bytes.length && isSpace(bytes[at] ?? "")) at += 1;
    if (!bytes.startsWith("--", at)) break;
    const { word, quoted, end } = takeWord(bytes, at, escapeChar);
    at = end;
    if (word === "--") break;
    if (word !== "" || quoted) flags.push(word);
  }
  return { flags, rest: Buffer.from(bytes.slice(at), "latin1").toString() };
}

/** Reads a word, and removes its quotes and escapes. */
function takeWord(text: string, start: number, escapeChar: string): { word: string; quoted: boolean; end: number } {
  let word = "";
  let quote = "";
  let quoted = false;
  let at = start;
  for (; at < text.length; at++) {
    const char = text[at] ?? "";
    if (quote === "" && isSpace(char)) break;
    if (quote === "" ? char === "'" || char === '"' : char === quote) {
      quote = quote === "" ? char : "";
      quoted = true;
    } else if (char === escapeChar) {
      // At the very end it is left out.
      at += 1;
      word += text[at] ?? "";
    } else word += char;
  }
  return { word, quoted, end: at };
}

/** The words of ARG, ENV and LABEL. A quoted text is part of one word. The quotes stay for the shell lexer. */
export function quotedWords(text: string, escapeChar: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (quote === "" && isSpace(char)) {
      if (word !== "") words.push(word);
      word = "";
    } else if (char === escapeChar && quote !== "'") {
      // At the very end it is left out.
      if (at + 1 < text.length) word += char + text[at + 1];
      at += 1;
    } else {
      if (quote === "" ? char === "'" || char === '"' : char === quote) quote = quote === "" ? char : "";
      word += char;
    }
  }
  if (word !== "") words.push(word);
  return words;
}
