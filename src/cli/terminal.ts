import { stripVTControlCharacters, styleText } from "node:util";
import { printable } from "../delivery/printable.ts";

/** Removes terminal control sequences from text that others wrote, such as commit messages and logs. */
export function terminalSafe(text: string): string {
  return printable(stripVTControlCharacters(text).replace(/[^\P{Cc}\n\t]/gu, ""));
}

/** The same as one line, such as a cell of a table. */
export function lineSafe(text: string): string {
  return terminalSafe(text)
    .replace(/\s*[\n\t]\s*/g, " ")
    .trim();
}

/** Data as JSON that is safe for a terminal, too: JSON itself lets C1 and bidirectional characters stand. */
export function jsonText(data: unknown): string {
  return printable(JSON.stringify(data, null, 2));
}

/** How an output stream shows text. */
export interface Screen {
  isTerminal: boolean;
  /** In columns of a terminal. Infinity if the stream is no terminal: a script reads it, and nothing is cut. */
  width: number;
  hasColor: boolean;
}

/** A terminal that does not say how wide it is. */
const DEFAULT_WIDTH = 80;

/**
 * The screen of a stream. FORCE_COLOR (https://force-color.org) beats NO_COLOR (https://no-color.org), as in Node.
 * `--no-color` sets NO_COLOR for the process.
 */
export function screenOf(
  stream: { isTTY?: boolean; columns?: number } = process.stdout,
  env: NodeJS.ProcessEnv = process.env,
): Screen {
  const isTerminal = stream.isTTY === true;
  const width = isTerminal ? stream.columns || DEFAULT_WIDTH : Number.POSITIVE_INFINITY;
  return { isTerminal, width, hasColor: wantsColor(isTerminal, env) };
}

function wantsColor(isTerminal: boolean, { FORCE_COLOR, NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return !["0", "false"].includes(FORCE_COLOR);
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  return isTerminal && TERM !== "dumb";
}

export type Style = "bold" | "gray" | "green" | "red" | "yellow" | "cyan";

/** Text in a colour or in bold, if the screen has colours. */
export function paint({ hasColor }: Screen, style: Style | null, text: string): string {
  // Without `validateStream`, newer versions of Node decide again, by the standard output.
  return hasColor && style !== null ? styleText(style, text, { validateStream: false }) : text;
}
