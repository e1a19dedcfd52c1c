import { checkInstruction } from "./check.ts";
import { Directives } from "./directives.ts";
import { type Heredoc, heredocsOf } from "./heredoc.ts";
import type { Instruction, Script } from "./instruction.ts";
import { BLANKS, bare, DockerfileError, isSpace, Lines, located, trimStart } from "./text.ts";
import { quotedWords, splitCommand } from "./words.ts";

/**
 * Splits a Dockerfile into instructions as BuildKit's parser does (moby/buildkit, frontend/dockerfile/parser), in time
 * proportional to its length.
 * @throws DockerfileError if BuildKit would refuse the file
 */
export function parseDockerfile(text: string): Script {
  const lines = new Lines(text.replace(/^\uFEFF/, ""));
  const directives = new Directives();
  const instructions: Instruction[] = [];
  let escapeChar = "\\";
  for (let raw = lines.next(); raw !== null; raw = lines.next()) {
    const first = trimStart(bare(raw));
    const directive = directives.read(first, lines.number);
    if (directive?.name === "escape") escapeChar = escapeOf(directive.value, lines.number);
    if (first !== "" && !isComment(first)) instructions.push(readInstruction(first, lines, escapeChar));
  }
  if (instructions.length === 0) throw new DockerfileError("there is no instruction in it");
  for (const instruction of instructions) located(instruction, () => checkInstruction(instruction));
  return { escapeChar, instructions };
}

function escapeOf(value: string, line: number): string {
  if (value === "\\" || value === "`") return value;
  throw new DockerfileError(`the escape directive must be \\ or \`, not ${JSON.stringify(value)}`, line);
}

/** @param lines the lines after the instruction's first */
function readInstruction(first: string, lines: Lines, escapeChar: string): Instruction {
  const line = lines.number;
  const text = joined(first, lines, escapeChar);
  const instruction = toInstruction(text, escapeChar, line);
  const opener = instruction.trigger ?? instruction;
  if (["ADD", "COPY", "RUN"].includes(opener.keyword) && !opener.isJson) {
    located(instruction, () => {
      for (const opened of heredocsOf(text)) opener.heredocs.push({ ...opened, content: contentOf(opened, lines) });
    });
  }
  return instruction;
}

/** Joins the first line with the lines that continue it. Comments and empty lines in between are skipped. */
function joined(first: string, lines: Lines, escapeChar: string): string {
  const parts = [first];
  for (let open = continued(first, escapeChar); open !== null; ) {
    parts[parts.length - 1] = open;
    const raw = lines.next();
    if (raw === null) break;
    const line = bare(raw);
    if (trimStart(line) === "" || isComment(trimStart(line))) continue;
    parts.push(line);
    open = continued(line, escapeChar);
  }
  return parts.join("");
}

/** The line without the escape character that continues it. Null: the line is not continued. */
function continued(line: string, escapeChar: string): string | null {
  let end = line.length;
  while (line[end - 1] === " " || line[end - 1] === "\t") end -= 1;
  return line[end - 1] === escapeChar && line[end - 2] !== escapeChar ? line.slice(0, end - 1) : null;
}

function isComment(line: string): boolean {
  return line.startsWith("#");
}

/** The lines up to the one that is only the here-document's name. @throws DockerfileError if there is none */
function contentOf({ name, chomps }: Omit<Heredoc, "content">, lines: Lines): string {
  const content: string[] = [];
  for (let raw = lines.next(); raw !== null; raw = lines.next()) {
    const line = bare(raw);
    if ((chomps ? line.replace(/^\t+/, "") : line) === name) return content.join("");
    content.push(raw);
  }
  throw new DockerfileError(`its here-document has no line ${name} to end it`);
}

function toInstruction(text: string, escapeChar: string, line: number): Instruction {
  const { keyword, trigger, ...parts } = split(text, escapeChar, line);
  if (keyword !== "ONBUILD" || parts.args[0] === undefined) return { keyword, trigger, ...parts };
  const kept = split(parts.args[0], escapeChar, line);
  return { keyword, ...parts, trigger: kept, args: [kept.keyword, ...kept.args] };
}

function split(text: string, escapeChar: string, line: number): Instruction {
  const { keyword: written, flags, rest } = splitCommand(text, escapeChar);
  // For letters outside ASCII, Go and JavaScript do not agree about upper case.
  const keyword = /^[!-~]*$/.test(written) ? written.toUpperCase() : written;
  const args = located({ line, keyword }, () => argsOf(keyword, rest, escapeChar));
  return { keyword, flags, isJson: false, heredocs: [], trigger: null, line, ...args };
}

function argsOf(keyword: string, rest: string, escapeChar: string): Pick<Instruction, "args"> & { isJson?: boolean } {
  switch (keyword) {
    case "ADD":
    case "COPY":
    case "VOLUME":
      return fromJson(rest) ?? { args: blankWords(rest) };
    case "CMD":
    case "ENTRYPOINT":
    case "RUN":
    case "SHELL":
      return (rest === "" ? null : fromJson(rest)) ?? { args: whole(rest) };
    case "ARG":
      return { args: quotedWords(rest, escapeChar) };
    case "ENV":
    case "LABEL":
      return { args: namesAndValues(keyword, rest, escapeChar) };
    case "EXPOSE":
    case "FROM":
      return { args: blankWords(rest) };
    case "HEALTHCHECK":
      return healthArgs(rest);
    default:
      return { args: whole(rest) };
  }
}

function whole(text: string): string[] {
  return text === "" ? [] : [text];
}

function blankWords(text: string): string[] {
  return text === "" ? [] : text.split(BLANKS);
}

/** Null: it is no JSON array. @throws DockerfileError if an item is no string */
function fromJson(text: string): { args: string[]; isJson: boolean } | null {
  if (!trimStart(text).startsWith("[")) return null;
  let array: unknown;
  try {
    array = JSON.parse(trimStart(text));
  } catch {
    return null;
  }
  if (!Array.isArray(array)) return null;
  if (!array.every((each) => typeof each === "string")) throw new DockerfileError("a JSON array may hold strings only");
  return { args: array, isJson: true };
}

/** Names and values in turn, of `NAME=value NAME=value` or the older `NAME value`. */
function namesAndValues(keyword: string, rest: string, escapeChar: string): string[] {
  const words = quotedWords(rest, escapeChar);
  if (words[0] === undefined) return [];
  if (!words[0].includes("=")) {
    const blank = BLANKS.exec(rest);
    if (blank === null) throw new DockerfileError(`${keyword} must have two arguments`);
    return [rest.slice(0, blank.index), rest.slice(blank.index + blank[0].length)];
  }
  return words.flatMap((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) throw new DockerfileError(`there is no = in ${JSON.stringify(word.slice(0, 100))}`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** `CMD` with its command, which may be JSON, or `NONE`. */
function healthArgs(rest: string): { args: string[]; isJson?: boolean } {
  let end = 0;
  while (end < rest.length && !isSpace(rest[end] ?? "")) end += 1;
  if (end === 0) return { args: [] };
  const command = argsOf("CMD", trimStart(rest.slice(end)), "");
  return { ...command, args: [rest.slice(0, end), ...command.args] };
}
