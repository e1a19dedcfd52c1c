import {
  type Document,
  isCollection,
  isMap,
  isPair,
  Lexer,
  LineCounter,
  Parser,
  parseDocument,
  type YAMLError,
} from "yaml";
import { quoted } from "../delivery/printable.ts";
import { withoutEmptyKeys } from "./empty-keys.ts";

export type Path = readonly PropertyKey[];

/** One thing wrong in a file; `line` counts from 1, `key` is empty for the whole file. */
export interface Problem {
  line: number | null;
  key: string;
  text: string;
}

/** A YAML file as plain data, with the lines its keys stand on. */
export interface YamlFile {
  data: unknown;
  problems: Problem[];
  lineOf(path: Path): number | null;
}

/** A path as people write it: `artifacts[0].publish[1].to`. */
export function keyOf(path: Path): string {
  return path
    .map((step) =>
      typeof step === "number"
        ? `[${step}]`
        : `.${/^[\w.*/-]{1,80}$/.test(String(step)) ? String(step) : quoted(String(step))}`,
    )
    .join("")
    .replace(/^\./, "");
}

const MAX_DEPTH = 20;
const MAX_ALIASES = 50;

/**
 * Reads YAML 1.2 (core schema) that may come from anyone: at most `maxBytes`, few aliases, no merge keys, no tags, each
 * key once. Never throws; what is wrong is in `problems`, without any text of the file.
 */
export function readYaml(text: string, maxBytes: number): YamlFile {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) return broken(`the file has ${bytes} bytes; at most ${maxBytes} are read`);
  if (nestsDeeper(text, MAX_DEPTH * 2)) return broken(`lists and maps are nested more than ${MAX_DEPTH} deep`);
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      version: "1.2",
      schema: "core",
      merge: false,
      resolveKnownTags: false,
      uniqueKeys: false,
      // "silent" would also keep silent about a second document.
      logLevel: "error",
    });
    const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({
      line: lines.linePos(error.pos[0]).line,
      key: "",
      text: explain(error),
    }));
    problems.push(...badKeys(document, lines));
    if (problems.length > 0) return { data: null, problems, lineOf: () => null };
    const data: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    if (isDeeper(data, MAX_DEPTH)) return broken(`lists and maps are nested more than ${MAX_DEPTH} deep`);
    return { data: withoutEmptyKeys(data), problems, lineOf: (path) => lineOf(document, lines, path) };
  } catch (error) {
    // The yaml package says so of an alias without its anchor and of too many aliases, naming the alias.
    if (error instanceof ReferenceError) {
      return broken(
        `an alias (*name) has no anchor (&name), or there are more than ${MAX_ALIASES}; ` +
          "put a text that begins with * or & in quotes",
      );
    }
    throw error;
  }
}

function broken(text: string): YamlFile {
  return { data: null, problems: [{ line: null, key: "", text }], lineOf: () => null };
}

/**
 * Runs before the text is composed. The composer calls itself at each level: 30,000 open brackets (30 kB) made V8 run
 * out of stack inside a regular expression. That ends the process, and no catch helps. This step keeps its own stack.
 */
function nestsDeeper(text: string, depth: number): boolean {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > depth) return true;
  }
  return false;
}

/** The yaml package's own messages quote the file, and what they quote may be a secret. */
function explain(error: YAMLError): string {
  const known: Partial<Record<YAMLError["code"], string>> = {
    BAD_ALIAS: "an alias (*name) that cannot be read; put a text that begins with * in quotes",
    BAD_INDENT: "the indentation fits no map or list above; indent with spaces, the same for all keys of one map",
    BAD_SCALAR_START: "a text that begins with @ or ` has to stand in quotes",
    MULTIPLE_DOCS: "one file holds one document; remove the line with ---",
    MULTILINE_IMPLICIT_KEY: "a key goes over several lines; is a colon missing?",
    TAB_AS_INDENT: "indent with spaces; a tab is not allowed",
    TAG_RESOLVE_FAILED: "tags (!name) mean nothing here; put a text that begins with ! in quotes",
    MISSING_CHAR: "a closing quote, bracket or comma is missing",
  };
  return known[error.code] ?? `this is not valid YAML (${error.code.toLowerCase().replaceAll("_", " ")})`;
}

/** Keys that stand twice (the yaml package would compare each key with all others), and the one that means harm. */
function badKeys(document: Document, lines: LineCounter): Problem[] {
  const problems: Problem[] = [];
  const open: unknown[] = [document.contents];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (!isCollection(node)) continue;
    const seen = new Set<string>();
    for (const item of node.items) {
      if (!isPair(item)) {
        open.push(item);
        continue;
      }
      open.push(item.key, item.value);
      const key = keyText(item.key);
      if (key === "__proto__")
        problems.push({ line: startLine(item.key, lines), key: keyOf([key]), text: "no key may have this name" });
      if (seen.has(key))
        problems.push({ line: startLine(item.key, lines), key: keyOf([key]), text: "this key is here twice" });
      seen.add(key);
    }
  }
  return problems;
}

function keyText(key: unknown): string {
  return String(scalarValue(key));
}

function scalarValue(node: unknown): unknown {
  return typeof node === "object" && node !== null && "value" in node ? node.value : node;
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1));
}

/** The line of the key at `path`, or of the nearest one above it that is there. */
function lineOf(document: Document, lines: LineCounter, path: Path): number | null {
  let node: unknown = document.contents;
  let line = startLine(node, lines);
  for (const step of path) {
    if (!isCollection(node)) break;
    const item = isMap(node)
      ? node.items.find((pair) => keyText(pair.key) === String(step))
      : typeof step === "number"
        ? node.items[step]
        : undefined;
    if (item === undefined) break;
    line = startLine(isPair(item) ? item.key : item, lines) ?? line;
    node = isPair(item) ? item.value : item;
  }
  return line;
}

function startLine(node: unknown, lines: LineCounter): number | null {
  if (typeof node !== "object" || node === null || !("range" in node) || !Array.isArray(node.range)) return null;
  const start: unknown = node.range[0];
  return typeof start === "number" ? lines.linePos(start).line : null;
}
