import type { Instruction } from "./instruction.ts";

/** An instruction as an engine names the step that it becomes. */
export interface Step {
  /** Of its first line in the file, from 1. */
  line: number;
  /** With variables as they are written; white space is collapsed. */
  text: string;
}

/** The longest text of a step that is compared. */
const MAX_TEXT = 2_000;

export function stepsOf(instructions: Instruction[]): Step[] {
  return instructions.map(({ keyword, flags, args, line }) => ({
    line,
    text: collapse([keyword, ...flags, ...args].join(" ")),
  }));
}

/**
 * The line of the instruction that an engine names, as in `RUN make`. Engines write values in place of variables, and
 * the first line of a heredoc only. Null: no instruction or several ones have this text.
 */
export function lineOfStep(steps: readonly Step[], name: string): number | null {
  const wanted = collapse(name.replace(/<<[\s\S]*$/, ""));
  if (wanted === "") return null;
  const [first, ...others] = steps.filter(({ text }) => isNamed(text.replace(/<<[\s\S]*$/, "").trimEnd(), wanted));
  return first !== undefined && others.length === 0 ? first.line : null;
}

/** Whether the text with some values in place of its variables is this name. Each literal part is sought once. */
function isNamed(text: string, name: string): boolean {
  if (text === name) return true;
  const parts = text.split(/\$(?:\{[^}]*\}|\w+)/);
  const [head = "", ...rest] = parts;
  const tail = rest.pop();
  if (tail === undefined || head.length + tail.length > name.length) return false;
  if (!name.startsWith(head) || !name.endsWith(tail)) return false;
  const end = name.length - tail.length;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

function collapse(text: string): string {
  return text.slice(0, MAX_TEXT).replace(/\s+/g, " ").trim();
}
